import { expect, it } from 'vitest';
import { addRecent, parseRecent, RECENT_MAX } from './recent';

it('puts the newest first, each once, few', () => {
  let list = parseRecent(null);
  for (let index = 0; index < 10; index++) list = addRecent(list, `room${index}`, index);
  list = addRecent(list, 'room7', 99);
  expect(list).toHaveLength(RECENT_MAX);
  expect(list[0]).toEqual({ room: 'room7', at_ms: 99 });
  expect(list.filter((each) => each.room === 'room7')).toHaveLength(1);
  expect(parseRecent(JSON.stringify(list))).toEqual(list);
});

it('survives a spoilt store', () => {
  expect(parseRecent('{')).toEqual([]);
  expect(parseRecent('{"a":1}')).toEqual([]);
  expect(parseRecent('[null,{"room":3},{"room":"ok","at_ms":1}]')).toEqual([{ room: 'ok', at_ms: 1 }]);
});
