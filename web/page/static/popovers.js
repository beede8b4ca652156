/** A popover stands under the button that opened it, inside the window. Listens for those below `root`. */
export function placePopovers(root) {
  root.addEventListener("toggle", place, true);
}

function place(event) {
  const popover = event.target;
  if (event.newState !== "open" || !popover.matches?.(".why, .menu")) return;
  const opener = popover.getRootNode().querySelector(`[popovertarget="${CSS.escape(popover.id)}"]`);
  const button = opener.getBoundingClientRect();
  const left = Math.min(Math.max(8, button.right - popover.offsetWidth), innerWidth - popover.offsetWidth - 8);
  const below = button.bottom + 6 + popover.offsetHeight < innerHeight;
  popover.style.left = `${left}px`;
  popover.style.top = `${Math.max(8, below ? button.bottom + 6 : button.top - popover.offsetHeight - 6)}px`;
}
