/** `npm pack`: dist/ is the page's own modules, with the style sheets as modules beside them. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const from = new URL("../../web/page/static/", import.meta.url);
const to = new URL("dist/", import.meta.url);
/** What only the page itself is made of. */
const NOT_PACKED = new Set(["app.js", "embed.js", "frame.js", "theme.js"]);

rmSync(to, { recursive: true, force: true });
mkdirSync(to);
for (const name of readdirSync(from)) {
  if (NOT_PACKED.has(name)) continue;
  const text = readFileSync(new URL(name, from), "utf8");
  if (name.endsWith(".js") || name === "client.d.ts") writeFileSync(new URL(name, to), text);
  if (name.endsWith(".css")) writeFileSync(new URL(`${name}.js`, to), `export default ${JSON.stringify(text)};\n`);
}
