/**
 * Elements from descriptions: `h` describes, `patch` changes a parent's children until they agree.
 * What is already right is left alone, so focus, open details and popovers outlive an update.
 */
const SVG = "http://www.w3.org/2000/svg";
const RENDERED = Symbol("rendered");

/**
 * Describes an element. Attributes: `key` tells siblings apart; `on…` are listeners; `.name` sets a property (such an
 * element renders its own children); `style` is an object; true, false and null set and remove.
 */
export function h(tag, attrs, ...children) {
  return { tag, attrs: attrs ?? {}, key: attrs?.key ?? null, children: children.flat(Infinity).filter(isContent) };
}

/** Makes the children of `parent` agree with the description. */
export function patch(parent, content) {
  const wanted = [content].flat(Infinity).filter(isContent).map(asNode);
  const spare = parent[RENDERED] ?? [];
  if (!parent[RENDERED]) parent.replaceChildren();
  const rendered = wanted.map((node) => {
    const at = spare.findIndex((old) => old.tag === node.tag && old.key === node.key);
    const old = at < 0 ? null : spare.splice(at, 1)[0];
    return update(old, node, parent);
  });
  spare.forEach((old) => old.element.remove());
  rendered.forEach(({ element }, index) => {
    if (parent.childNodes[index] !== element) parent.insertBefore(element, parent.childNodes[index] ?? null);
  });
  parent[RENDERED] = rendered;
}

function update(old, node, parent) {
  if (node.tag === null) {
    const element = old?.element ?? document.createTextNode("");
    if (element.data !== node.text) element.data = node.text;
    return { ...node, element };
  }
  const element = old?.element ?? create(node.tag, parent);
  setAttributes(element, old?.attrs ?? {}, node.attrs);
  if (!Object.keys(node.attrs).some((name) => name.startsWith("."))) patch(element, node.children);
  return { tag: node.tag, key: node.key, attrs: node.attrs, element };
}

function create(tag, parent) {
  const inSvg = tag === "svg" || (parent.namespaceURI === SVG && parent.localName !== "foreignObject");
  return inSvg ? document.createElementNS(SVG, tag) : document.createElement(tag);
}

function setAttributes(element, before, now) {
  for (const name of Object.keys({ ...before, ...now })) {
    if (name !== "key" && before[name] !== now[name]) setAttribute(element, name, now[name], before[name]);
  }
}

function setAttribute(element, name, value, before) {
  if (name.startsWith("on")) {
    if (before) element.removeEventListener(name.slice(2), before);
    if (value) element.addEventListener(name.slice(2), value);
  } else if (name.startsWith(".")) {
    element[name.slice(1)] = value;
  } else if (name === "style") {
    // Through the object model: the content security policy forbids style attributes.
    for (const [property, text] of Object.entries(value ?? {})) element.style.setProperty(property, text);
  } else if (value === null || value === undefined || value === false) {
    element.removeAttribute(name);
  } else {
    element.setAttribute(name, value === true ? "" : value);
  }
}

function isContent(part) {
  return part !== null && part !== undefined && part !== false && part !== true && part !== "";
}

function asNode(part) {
  return typeof part === "object" ? part : { tag: null, key: null, text: String(part) };
}
