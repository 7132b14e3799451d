/** Moves the cursor, rings, colours, or turns the direction of the text around it. */
const COMMANDS = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]/u;
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]$/u;

/** What is in the store may have come from anybody: no name, reason or message of it commands the terminal. @internal */
export function printable(text: string): string {
  return text.replaceAll(COMMANDS, (found) => {
    const code = found.codePointAt(0)!;
    return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** JSON as it is, with what commands the terminal escaped: JSON itself lets some of it stand. @internal */
export function printableJson(json: string): string {
  return json.replaceAll(COMMANDS, (found) =>
    found === '\n' ? found : `\\u${found.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
}

/** Columns that it takes on a terminal, as far as that can be known. @internal */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) {
    if (!NO_WIDTH.test(character)) width += WIDE.test(character) ? 2 : 1;
  }
  return width;
}

const IN_AUTHORITY = /([a-z][a-z0-9+.-]*:\/\/)[^\s'"]*@/gi;
const IN_QUERY = /([?&](?:password|sslpassword)=)[^&\s'"]*/gi;

/** Takes from an error's text what may be a password in a url. @internal */
export function withoutSecrets(text: string): string {
  return text.replaceAll(IN_AUTHORITY, '$1***@').replaceAll(IN_QUERY, '$1***');
}
