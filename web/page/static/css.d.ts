/** A style sheet as a module, for shadow roots: `./tokens.css.js` is made of tokens.css wherever modules are served or packed. */
declare module "*.css.js" {
  const text: string;
  export default text;
}
