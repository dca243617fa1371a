// Everything a signed-in page needs. Pages add behaviour through data attributes, never through scripts of their own.
import "./shell.js"
import "./tree.js"
import "./table.js"
import "./verbs.js"
import "./suggest.js"
import "./keys.js"
import "./clip.js"
import "./notifications.js"
import "./drop.js"
import "./pictures.js"
import { connect } from "./live.js"

connect()
