import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CsvError, type InfoRecord, parse } from 'csv-parse';
import { InputProblem } from '../../csv/input-problem.js';
import { columnIndex, type CsvHeader } from '../../csv/csv-header.js';
import { csvProblem, quoted } from '../../csv/csv-problem.js';
import { notNumeric, toNumber } from './measure-value.js';
import { RecordLines } from '../../csv/record-lines.js';
import { Utf8Check } from '../../csv/utf8-check.js';

const MOST_GROUPS = 100_000;
const LONGEST_RECORD = 1024 * 1024;

export interface GroupedValues {
  rows: number;
  skipped: number;
  values: Map<string, number[]>;
}

interface Columns {
  groupBy: string;
  measure: string;
}

/** Reads the whole file once, row by row, and keeps only the measures. `onRead` is told the share read, 0 to 1. */
export async function readGroups(
  path: string,
  header: CsvHeader,
  columns: Columns,
  onRead: (share: number) => void = () => undefined,
): Promise<GroupedValues> {
  const rows = new RowCollector(header, columns);
  const parser = parse({
    bom: true,
    delimiter: header.delimiter,
    skip_empty_lines: true,
    max_record_size: LONGEST_RECORD,
    on_record: (cells: string[], info) => {
      rows.add(cells, info);
      return null;
    },
  });
  const { size } = await stat(path);
  try {
    await pipeline(createReadStream(path), readMeter(size, onRead), new Utf8Check(), parser, discard());
  } catch (error) {
    throw error instanceof CsvError
      ? csvProblem(error, rows.lines.lineOf(parser.info.lines), header.columns.length)
      : error;
  }
  return rows.finish();
}

class RowCollector {
  readonly lines = new RecordLines();
  private readonly grouped: GroupedValues = { rows: 0, skipped: 0, values: new Map() };
  private readonly groupIndex: number;
  private readonly measureIndex: number;
  private headerSeen = false;

  constructor(
    header: CsvHeader,
    private readonly columns: Columns,
  ) {
    this.groupIndex = columnIndex(header, columns.groupBy, 'groupBy');
    this.measureIndex = columnIndex(header, columns.measure, 'measure');
  }

  add(cells: string[], info: Pick<InfoRecord, 'lines'>): void {
    const line = this.lines.firstOf(cells, info.lines);
    if (!this.headerSeen) {
      this.headerSeen = true;
      return;
    }
    this.grouped.rows += 1;
    const text = (cells[this.measureIndex] ?? '').trim();
    if (text === '') {
      this.grouped.skipped += 1;
      return;
    }
    const value = toNumber(text);
    if (value === undefined) {
      throw notNumeric(text, this.columns.measure, line);
    }
    this.valuesOf((cells[this.groupIndex] ?? '').trim()).push(value);
  }

  finish(): GroupedValues {
    if (this.grouped.rows === 0) {
      throw new InputProblem('FILE_EMPTY', 'The file has a header but no rows. Send a CSV file with at least one row.');
    }
    if (this.grouped.values.size === 0) {
      throw new InputProblem(
        'COLUMN_EMPTY',
        `The column ${quoted(this.columns.measure)} is empty in every row. Choose another column as measure.`,
      );
    }
    return this.grouped;
  }

  private valuesOf(group: string): number[] {
    let values = this.grouped.values.get(group);
    if (values === undefined) {
      if (this.grouped.values.size === MOST_GROUPS) {
        throw new InputProblem(
          'TOO_MANY_GROUPS',
          `The column ${quoted(this.columns.groupBy)} has more than ${MOST_GROUPS.toLocaleString('en-US')} different values. Group by a column whose values repeat.`,
        );
      }
      this.grouped.values.set(group, (values = []));
    }
    return values;
  }
}

function readMeter(size: number, onRead: (share: number) => void) {
  return async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let read = 0;
    for await (const chunk of chunks) {
      yield chunk;
      read += chunk.length;
      onRead(Math.min(1, read / size));
    }
  };
}

function discard(): Writable {
  return new Writable({ objectMode: true, write: (_record, _encoding, done) => done() });
}
