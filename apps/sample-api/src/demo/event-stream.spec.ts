import { EventStreamParser } from './event-stream.js';

function eventsOf(pieces: string[], parser = new EventStreamParser()) {
  return pieces.flatMap((piece) => [...parser.push(piece)]);
}

describe('EventStreamParser', () => {
  const text = ': hello\nevent: stage\nid: 7\ndata: {"name":\ndata: "A"}\n\ndata:two: more\n\n';
  const events = [
    { event: 'stage', data: '{"name":\n"A"}' },
    { event: 'message', data: 'two: more' },
  ];

  it.each([
    ['\\n', text],
    ['\\r\\n', text.replaceAll('\n', '\r\n')],
    ['\\r', `${text.replaceAll('\n', '\r')}:`],
  ])('reads events with lines that end with %s, whatever the pieces are', (_end, whole) => {
    expect(eventsOf([whole])).toEqual(events);
    expect(eventsOf(Array.from(whole))).toEqual(events);
  });

  it('knows the last id and the wished pause', () => {
    const parser = new EventStreamParser('6');
    expect(eventsOf([':\n\n'], parser)).toEqual([]);
    expect(parser.lastEventId).toBe('6');
    eventsOf(['id: 7\ndata: x\n\nretry: 250\nretry: soon\n'], parser);
    expect(parser).toMatchObject({ lastEventId: '7', retry: 250 });
  });

  it('takes nothing for an event that has no data, or no end', () => {
    expect(eventsOf(['event: state\n\n', 'data: half\n'])).toEqual([]);
    expect(eventsOf(['event: state\n\ndata\n\n'])).toEqual([{ event: 'message', data: '' }]);
  });
});
