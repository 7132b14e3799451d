import { BadRequestException } from '@nestjs/common';
import { datasetNames, datasetPath } from './datasets.js';
import { validated } from '../http/validated.js';
import { datasetRequestSchema, uploadQuerySchema } from './report-request.js';

describe('datasets', () => {
  it('are the CSV files of vega-datasets', () => {
    expect(datasetNames).toEqual(expect.arrayContaining(['seattle-weather', 'airports', 'zipcodes']));
    expect(datasetNames).not.toContain('cars');
    expect(datasetPath('seattle-weather')).toMatch(/vega-datasets.data.seattle-weather\.csv$/);
  });

  it.each([
    '../package',
    '../../piscina/package',
    '/etc/passwd',
    'seattle-weather.csv',
    '',
    'constructor',
    '__proto__',
  ])('do not include %j', (name) => {
    expect(datasetPath(name)).toBeUndefined();
  });
});

describe('a request for a report', () => {
  const schema = datasetRequestSchema(datasetNames);

  function complaints(run: () => unknown): unknown {
    try {
      run();
    } catch (error) {
      return error instanceof BadRequestException ? (error.getResponse() as { message: unknown }).message : error;
    }
    return undefined;
  }

  it('is taken as it is when it is right', () => {
    const request = { dataset: 'seattle-weather', groupBy: 'weather', measure: 'precipitation' };
    expect(validated(schema, request)).toEqual(request);
  });

  it('with an unknown dataset is told the known ones', () => {
    const request = { dataset: '../../etc/passwd', groupBy: 'a', measure: 'b' };
    expect(complaints(() => validated(schema, request))).toEqual([
      expect.stringMatching(/^dataset must be one of: airports, .*seattle-weather/),
    ]);
  });

  it('is told everything that is missing, unknown or of the wrong kind', () => {
    expect(complaints(() => validated(schema, { dataset: 'airports', groupby: 'state', measure: 5 }))).toEqual([
      'groupBy must be given once: the column whose values make the groups',
      'measure must be given once: the column with the numbers',
      'unknown: groupby',
    ]);
    expect(complaints(() => validated(uploadQuerySchema, { groupBy: ['a', 'b'], measure: ' ' }))).toEqual([
      'groupBy must be given once: the column whose values make the groups',
      'measure must not be empty: name the column with the numbers',
    ]);
  });

  it.each([undefined, null, [], 'text'])('that is %j is shown an example', (body) => {
    expect(complaints(() => validated(schema, body))).toEqual([expect.stringContaining('Send a JSON object such as')]);
  });
});
