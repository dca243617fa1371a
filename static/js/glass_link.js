// The socket of one console. Binary frames are the console's own; text frames are words about it. It looks like a data
// channel, which is what noVNC takes, and tells the server how much arrived: more follows only then.
const TELL_EVERY = 65536 // bytes
const HERE_EVERY = 30000 // ms

export class Link {
  constructor(address, told) {
    this.told = told // {open, viewers, end, lost}
    this.onopen = this.onmessage = this.onclose = this.onerror = null
    this.binaryType = "arraybuffer"
    this.protocol = ""
    this.got = this.acknowledged = this.here = 0
    this.socket = new WebSocket(address)
    this.socket.binaryType = "arraybuffer"
    this.socket.onmessage = event => this.take(event)
    this.socket.onclose = event => this.over(event)
  }

  get readyState() { return this.socket.readyState }

  take(event) {
    if (typeof event.data === "string") return this.hear(JSON.parse(event.data))
    this.got += event.data.byteLength
    this.onmessage?.(event)
    if (this.got - this.acknowledged < TELL_EVERY) return
    this.acknowledged = this.got
    this.say({ got: this.got })
  }

  hear(words) {
    for (const [what, value] of Object.entries(words)) {
      if (what === "end") this.ended = true
      this.told[what]?.(value)
    }
  }

  over(event) {
    this.onclose?.(event)
    if (!this.ended && !this.left) this.told.lost()
  }

  send(data) { if (this.readyState === WebSocket.OPEN) this.socket.send(data) }

  say(words) { this.send(JSON.stringify(words)) }

  /** Somebody is at the page, though nothing is typed. */
  isHere() {
    if (Date.now() - this.here < HERE_EVERY) return
    this.here = Date.now()
    this.say({ here: true })
  }

  close() {
    this.left = true
    this.socket.close()
  }
}
