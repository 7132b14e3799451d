const LINE_BREAK = /\r\n|\r|\n/g;

/** csv-parse counts a CRLF inside quotes as two lines; editors count one. To be told of every record, in order. */
export class RecordLines {
  private countedTwice = 0;

  /** The line on which the record begins. */
  firstOf(cells: readonly string[], counted: number): number {
    let breaks = 0;
    for (const cell of cells) {
      breaks += cell.match(LINE_BREAK)?.length ?? 0;
      this.countedTwice += cell.includes('\r\n') ? cell.split('\r\n').length - 1 : 0;
    }
    return this.lineOf(counted) - breaks;
  }

  lineOf(counted: number): number {
    return counted - this.countedTwice;
  }
}
