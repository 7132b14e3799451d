import { describeGroup, type GroupStatistics } from '../statistics/group-statistics.js';

export const MOST_GROUPS_SHOWN = 20;

export interface ShownGroups {
  groups: GroupStatistics[];
  others?: { groupCount: number; statistics: GroupStatistics };
}

/** `ranked` has the groups with the most rows first. Those that do not fit become one group, with its own statistics. */
export function chooseShownGroups(ranked: GroupStatistics[], values: Map<string, number[]>): ShownGroups {
  const shown = ranked.slice(0, MOST_GROUPS_SHOWN);
  const rest = ranked.slice(MOST_GROUPS_SHOWN);
  const groups = shown.toSorted(shown.every(({ group }) => isOrdered(group)) ? byLabel : byMean);
  if (rest.length === 0) {
    return { groups };
  }
  const restValues = rest.flatMap(({ group }) => values.get(group) ?? []);
  return { groups, others: { groupCount: rest.length, statistics: describeGroup('others', restValues) } };
}

/** Years, months and numbers are read in their own order, everything else from the largest mean down. */
function isOrdered(group: string): boolean {
  return /^-?\d+(\.\d+)?$/.test(group) || /^\d{4}-\d{2}(-\d{2}\b.*)?$/.test(group);
}

function byLabel(a: GroupStatistics, b: GroupStatistics): number {
  return Number(a.group) - Number(b.group) || (a.group < b.group ? -1 : 1);
}

function byMean(a: GroupStatistics, b: GroupStatistics): number {
  return b.mean - a.mean || (a.group < b.group ? -1 : 1);
}
