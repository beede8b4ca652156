/** Announcements of the operator: kept while the tab is open, newest first, to be read again until they are dismissed. */
import { read, write } from "./keys.js";

const KEPT = 20;
/** What is remembered as long as the tab is open. */
const tab = () => sessionStorage;

function key(tenant) {
  return `daybook.announcements.${tenant}`;
}

export function announcementsOf(tenant) {
  return JSON.parse(read(key(tenant), tab) ?? "[]");
}

/** Both return what there is now. */
export function keepAnnouncement(tenant, message) {
  return remember(tenant, [message, ...announcementsOf(tenant).filter(({ id }) => id !== message.id)].slice(0, KEPT));
}

export function dismissAnnouncement(tenant, id) {
  return remember(tenant, announcementsOf(tenant).filter((message) => message.id !== id));
}

function remember(tenant, messages) {
  write(key(tenant), JSON.stringify(messages), tab);
  return messages;
}
