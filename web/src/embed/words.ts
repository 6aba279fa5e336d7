/** What the elements say, in the language of the page (`lang`). Each element carries only its own words: they are half of its size. */

import type { State } from './line';
import type { Reason } from './outcome';

/** A title and, if there is more to say, what to do about it. */
export type Said = readonly [title: string, detail?: string];
export type SaidState = Exclude<State, 'refused'>;

export interface Words {
  states: Partial<Record<SaidState, Said>> & { idle: Said; connecting: Said; reconnecting: Said };
  refused: Partial<Record<Reason, Said>> & { other: Said };
  live: string;
  again: string;
}

export const common: { en: Words; ko: Words } = {
  en: {
    states: {
      idle: ['Stopped'],
      connecting: ['Connecting…'],
      reconnecting: ['The connection was lost', 'It comes back by itself…'],
    },
    refused: {
      no_src: ['The address is missing', 'Check the attribute src of this page.'],
      token: ['A valid invitation is needed', 'It is missing, expired or for another room.'],
      not_allowed: ['Your invitation does not allow this', 'Ask for another one.'],
      missing: ['This room does not exist', 'Check the address.'],
      unsupported: ['This browser does not fit', 'Try a current Chrome, Edge, Firefox or Safari.'],
      other: ['The server refused', 'Try again later.'],
    },
    live: 'LIVE',
    again: 'Try again',
  },
  ko: {
    states: {
      idle: ['멈췄습니다'],
      connecting: ['연결하는 중…'],
      reconnecting: ['연결이 끊겼습니다', '저절로 다시 연결합니다…'],
    },
    refused: {
      no_src: ['주소가 없습니다', '이 페이지의 src 속성을 확인하세요.'],
      token: ['쓸 수 있는 초대가 필요합니다', '초대가 없거나, 만료되었거나, 다른 방의 것입니다.'],
      not_allowed: ['이 초대로는 할 수 없습니다', '다른 초대를 부탁하세요.'],
      missing: ['없는 방입니다', '주소를 확인하세요.'],
      unsupported: ['이 브라우저에서는 쓸 수 없습니다', '최신 Chrome, Edge, Firefox 또는 Safari를 사용하세요.'],
      other: ['서버가 거절했습니다', '나중에 다시 시도하세요.'],
    },
    live: '생방송',
    again: '다시 시도',
  },
};

/** Korean where the page is, English elsewhere. */
export function languageOf(tag: string): 'en' | 'ko' {
  return /^ko\b/i.test(tag) ? 'ko' : 'en';
}
