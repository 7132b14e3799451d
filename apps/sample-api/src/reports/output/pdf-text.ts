const DRAWABLE = /^[\x20-\x7e\xa0-\xff€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]$/u;

/**
 * What the standard PDF fonts can draw (Western European letters): an accent they lack is dropped, any other character
 * becomes a question mark. `exact` says whether the text survived; the summary CSV always has the original.
 */
export function drawableText(text: string): { text: string; exact: boolean } {
  let exact = true;
  const drawn = Array.from(text.normalize('NFC').replace(/\s+/g, ' '), (character) => {
    if (DRAWABLE.test(character)) {
      return character;
    }
    exact = false;
    const [base = ''] = character.normalize('NFD');
    return DRAWABLE.test(base) ? base : '?';
  });
  return { text: drawn.join(''), exact };
}
