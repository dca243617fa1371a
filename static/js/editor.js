// <textarea data-editor> and <pre data-editor> become an editor of YAML; without script they stay what they are.
// It lives in a shadow root, where its styles are adopted sheets: the page's policy forbids inline ones.
import * as cm from "../vendor/codemirror-6.43.15/codemirror.min.js"
import { Words, pathOf, placeOf } from "./editor-words.js"
import { follow } from "./editor-draft.js"
import "./editor-table.js"

const { EditorView, EditorState, tags } = cm

const colours = cm.HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--code-key)" },
  { tag: [tags.string, tags.special(tags.string), tags.content], color: "var(--code-text)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--code-number)" },
  { tag: tags.comment, color: "var(--code-comment)", fontStyle: "italic" },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace, tags.meta], color: "var(--code-mark)" },
  { tag: [tags.keyword, tags.labelName, tags.typeName], color: "var(--code-word)" },
])

const look = EditorView.theme({
  "&": { color: "inherit", backgroundColor: "transparent", fontSize: "13px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55", overflow: "auto" },
  ".cm-content": { caretColor: "currentColor", padding: "8px 0", minHeight: "var(--editor-least, 0)" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--quiet)", border: "none" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--accent) 10%, transparent)" },
  ".cm-tooltip": { backgroundColor: "var(--surface)", color: "inherit", border: "1px solid var(--line)", borderRadius: "6px", boxShadow: "0 6px 24px rgb(0 0 0 / 18%)", maxWidth: "min(420px, 90vw)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "16em" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "4px 8px", lineHeight: "1.4" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent-soft)", color: "inherit" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700", color: "var(--accent)" },
  ".cm-completionDetail": { color: "var(--quiet)", fontStyle: "normal", fontSize: "12px" },
  ".cm-tooltip.cm-completionInfo, .cm-tooltip-hover": { padding: "8px 10px", fontFamily: "var(--tblr-font-sans-serif)", fontSize: "13px" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--danger)", padding: "4px 8px" },
  ".cm-help p": { margin: "0 0 4px" },
  ".cm-help .quiet": { color: "var(--quiet)" },
  ".cm-help code": { fontFamily: "var(--mono)", whiteSpace: "pre-wrap" },
})

function labelsOf(area) {
  return Object.fromEntries(Object.entries(area.dataset).filter(([name]) => name.startsWith("word") && name !== "words").map(([name, text]) => [name.slice(4).toLowerCase(), text]))
}

function helpNode(help) {
  const place = document.createElement("div")
  place.className = "cm-help"
  for (const [kind, text] of [["quiet", help.kind], ["", help.text], ["quiet", help.example]]) {
    if (!text) continue
    const line = document.createElement("p")
    line.className = kind
    line.textContent = text
    place.append(line)
  }
  return place
}

function option(words, keys, [name, schema], column) {
  const types = [schema.type].flat()
  const below = "\n" + " ".repeat(column + 2)
  const rest = types.includes("object") ? `:${below}` : types.includes("array") ? `:${below}- ` : ": "
  return {
    label: name,
    detail: words.type(schema),
    type: "property",
    info: () => helpNode(words.help([...keys, name]) ?? { kind: words.type(schema), text: schema.description ?? "" }),
    apply: (view, _chosen, from, to) => {
      const colon = /^\s*:/.test(view.state.sliceDoc(to, to + 3))
      view.dispatch({ changes: { from, to, insert: colon ? name : name + rest }, selection: { anchor: from + (colon ? name : name + rest).length }, userEvent: "input.complete" })
      if (!colon) cm.startCompletion(view)
    },
  }
}

function offers(words) {
  return context => {
    const place = placeOf(context.state.doc, context.pos)
    if (!place) return null
    const item = !place.value && place.keys.at(-1) === "[]" ? words.values(place.keys) : []
    const values = place.value ? words.values(place.keys) : item
    const names = place.value ? [] : words.names(place.keys)
    const typed = context.pos > place.from
    if (!context.explicit && !typed && !place.value && place.column === 0) return null
    const options = [...values.map(([label, detail]) => ({ label, detail, type: "constant" })), ...names.map(name => option(words, place.keys, name, place.column))]
    return options.length ? { from: place.from, options, validFor: /^[\w.-]*$/ } : null
  }
}

function keysAt(state, position) {
  const line = state.doc.lineAt(position)
  const above = pathOf(state.doc, line.number)
  const key = /^\s*(?:- +)*"?([\w.-]+)"?\s*:/.exec(line.text)
  return above && key ? [...above, key[1]] : above
}

function hover(words) {
  return cm.hoverTooltip((view, position) => {
    const keys = keysAt(view.state, position)
    const help = keys && words.help(keys)
    return help && { pos: position, above: true, create: () => ({ dom: helpNode(help) }) }
  })
}

/** The line under the editor that explains the parameter at the cursor: for keyboards and small screens. */
function explainer(words, place) {
  if (!place) return []
  place.hidden = false
  return EditorView.updateListener.of(update => {
    if (!update.selectionSet && !update.docChanged) return
    const keys = keysAt(update.state, update.state.selection.main.head)
    const help = keys?.length ? words.help(keys) : null
    const name = document.createElement("b")
    name.textContent = help?.name ?? ""
    place.replaceChildren(...(help ? [name, ` ${help.kind}. ${help.text} ${help.example}`] : []))
  })
}

/** Ctrl-S and Ctrl-Enter do what the primary button does. */
const goOn = area => () => {
  const button = area.form?.querySelector("button.btn-primary:not([hidden])")
  button?.click()
  return true
}

function writing(area, words) {
  const field = area.closest("[data-editor-field]")
  const known = words ? [cm.autocompletion({ override: [offers(words)], icons: false }), hover(words), explainer(words, field?.querySelector("[data-editor-help]"))] : []
  return [
    cm.history(),
    cm.lintGutter(),
    cm.highlightActiveLine(),
    overSelection,
    cm.keymap.of([
      { key: "Mod-s", run: goOn(area), preventDefault: true },
      { key: "Mod-Enter", run: goOn(area), preventDefault: true },
      ...(words ? cm.completionKeymap : []),
      { key: "Tab", run: indent },
      { key: "Shift-Tab", run: cm.indentLess },
      ...cm.historyKeymap,
      ...cm.defaultKeymap,
    ]),
    ...known,
    EditorView.updateListener.of(update => { if (update.docChanged) mirror(area, update.state) }),
  ]
}

/** Typing over a selection is done here: Chromium would join its lines with inline styles, which the policy forbids. */
const overSelection = EditorView.domEventHandlers({
  beforeinput(event, view) {
    if (event.inputType !== "insertText" || !event.data || event.isComposing || view.state.selection.main.empty) return false
    view.dispatch(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true })
    return true
  },
})

function indent(view) {
  const { main } = view.state.selection
  if (!main.empty) return cm.indentMore(view)
  view.dispatch(view.state.replaceSelection("  "))
  return true
}

function mirror(area, state) {
  area.value = state.doc.toString()
  area.dispatchEvent(new Event("input", { bubbles: true }))
}

function handle(view) {
  const { doc } = view.state
  const place = (line, column = 1) => {
    const { from, to } = view.state.doc.line(Math.min(Math.max(line, 1), view.state.doc.lines))
    return Math.min(from + column - 1, to)
  }
  return {
    doc,
    /** Another text in place of what is there: a file that was dropped, say. */
    put(text) {
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } })
    },
    mark(faults) {
      const marks = faults.filter(fault => fault.line).map(fault => {
        const from = place(fault.line, fault.column)
        return { from, to: Math.max(from, view.state.doc.lineAt(from).to), severity: "error", message: fault.text }
      })
      view.dispatch(cm.setDiagnostics(view.state, marks))
    },
    goTo(line, column) {
      const anchor = place(line, column)
      view.dispatch({ selection: { anchor }, effects: EditorView.scrollIntoView(anchor, { y: "nearest" }) })
      if (!view.state.readOnly) view.focus()
    },
  }
}

function mount(element, words) {
  const reading = element.tagName === "PRE"
  const host = document.createElement("div")
  host.className = `editor-host${reading ? " reading" : ""}`
  const root = host.attachShadow({ mode: "open" })
  const label = element.labels?.[0]?.textContent.trim() ?? element.getAttribute("aria-label") ?? ""
  const text = reading ? element.textContent.trimEnd() : element.value
  if (!reading) host.style.setProperty("--editor-least", `${element.rows * 1.55}em`)
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: text,
      extensions: [
        cm.lineNumbers(),
        cm.yaml(),
        cm.syntaxHighlighting(colours),
        cm.indentUnit.of("  "),
        EditorState.tabSize.of(2),
        EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", ...(reading ? { tabindex: "0", "aria-readonly": "true" } : {}) }),
        reading ? [EditorState.readOnly.of(true), EditorView.editable.of(false), location.hash.startsWith("#at-") ? cm.highlightActiveLine() : []] : writing(element, words),
        look,
      ],
    }),
  })
  // Outside of the shadow root nobody sees that this is typing: single keys are not shortcuts of the page.
  host.addEventListener("keydown", event => { if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation() })
  element.after(host)
  element.hidden = true
  for (const one of element.labels ?? []) one.addEventListener("click", () => view.focus())
  for (const keys of element.closest("[data-editor-field]")?.querySelectorAll("[data-editor-keys]") ?? []) keys.hidden = false
  element.editor = handle(view)
  element.required = false
  return view
}

/** The line that an address such as #at-labels.course speaks of. */
function showAnchor(element) {
  const wanted = decodeURIComponent(location.hash).replace(/^#at-/, "")
  if (!wanted || wanted === decodeURIComponent(location.hash) || !element.editor) return
  const { doc } = element.editor
  for (let number = 1; number <= doc.lines; number += 1) {
    const key = /^\s*(?:- +)*"?([^":#]+)"?\s*:/.exec(doc.line(number).text)
    if (key && [...(pathOf(doc, number) ?? []), key[1]].join(".") === wanted) return element.editor.goTo(number, 1)
  }
}

async function start(element) {
  const { words: address } = element.dataset
  const answer = address ? await fetch(address, { headers: { Accept: "application/json" } }).catch(() => null) : null
  mount(element, answer?.ok ? new Words(await answer.json(), labelsOf(element)) : null)
  if (element.tagName === "PRE") showAnchor(element)
  else follow(element)
}

for (const element of document.querySelectorAll("textarea[data-editor], pre[data-editor]")) start(element)
