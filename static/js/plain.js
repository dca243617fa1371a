// Signed-out pages: the theme and dismissible notices are all they need.
import "./shell.js"
