import cronstrue from 'cronstrue';

/** Of the description of a schedule. */
const LONGEST = 500;

/** When a schedule fires, in words: "At 06:00, Monday through Friday (Europe/Berlin)". */
export function describeCron(cron: string, timeZone: string): string {
  return `${inWords(cron)} (${timeZone})`.slice(0, LONGEST);
}

function inWords(cron: string): string {
  try {
    return cronstrue.toString(cron, { verbose: true, use24HourTimeFormat: true });
  } catch {
    // There are expressions that fire and that it cannot read, such as "? ? ? ? ?".
    return `At the times of "${cron}"`;
  }
}
