const LINE_BREAK = /[\r\n]/;
const LINE_BREAKS = /\r\n|\r|\n/g;

/** csv-parse counts a CRLF inside quotes as two lines; editors count one. To be told of every record, in order. */
export class RecordLines {
  private countedTwice = 0;

  /** The line on which the record begins. */
  firstOf(cells: readonly string[], counted: number): number {
    let breaks = 0;
    for (const cell of cells) {
      if (!LINE_BREAK.test(cell)) continue;
      const found = cell.match(LINE_BREAKS)!;
      breaks += found.length;
      this.countedTwice += found.filter((each) => each.length === 2).length;
    }
    return this.lineOf(counted) - breaks;
  }

  lineOf(counted: number): number {
    return counted - this.countedTwice;
  }
}
