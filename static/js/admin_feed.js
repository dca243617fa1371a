// States in the console's lists change as they happen. One WebSocket; a lost one comes back by itself.
const place = document.querySelector("[data-feed]")
const words = JSON.parse(document.getElementById("state-words")?.textContent ?? "{}")
let since = place?.dataset.cursor ? Number(place.dataset.cursor) : null

function take({ events = [], settled }) {
  for (const { node, state } of events) {
    for (const badge of document.querySelectorAll(`[data-node="${node}"]`)) if (state) badge.textContent = words[state] ?? state
  }
  if (Number.isInteger(settled)) since = Math.max(settled, since ?? 0)
}

function listen() {
  const scheme = location.protocol === "https:" ? "wss" : "ws"
  const socket = new WebSocket(`${scheme}://${location.host}/ws/feed`)
  socket.onopen = () => socket.send(JSON.stringify({ subscribe: [place.dataset.feed], since }))
  socket.onmessage = message => take(JSON.parse(message.data))
  socket.onclose = () => setTimeout(listen, 3000)
}

if (place) listen()
