/** Where Daybook is on its host: empty, or the path below which a proxy offers it (/dash). */
export const BASE = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
