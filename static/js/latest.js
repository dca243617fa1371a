// One question at a time: asking anew takes the one before back, also while its answer is being read.
const READ = { "application/json": answer => answer.json(), "text/html": answer => answer.text() }

export function latest(type) {
  let asked = null
  const stop = () => asked?.abort()
  // What the server answers; null when it refuses, cannot be reached, or was asked something else meanwhile.
  const ask = async address => {
    stop()
    asked = new AbortController()
    try {
      const answer = await fetch(address, { signal: asked.signal, headers: { Accept: type, "X-Requested-With": "fetch" } })
      return answer.ok ? await READ[type](answer) : null
    } catch {
      return null
    }
  }
  return { ask, stop }
}
