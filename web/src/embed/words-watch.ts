/** What only the player says. */

import { common, type Words } from './words';

export interface WatchWords extends Words {
  sound: string;
  quality: string;
  best: string;
  qualities: readonly string[];
  picture: string;
}

const { en, ko } = common;

export const words: { en: WatchWords; ko: WatchWords } = {
  en: {
    ...en,
    states: { ...en.states, waiting: ['Nothing is broadcast yet', 'It starts here by itself.'], ended: ['The broadcast has ended', 'If it goes on, it goes on here.'] },
    refused: { ...en.refused, mesh: ['There is no broadcast in this room', 'Its members connect to each other directly.'] },
    sound: 'Sound on',
    quality: 'Quality',
    best: 'Automatic',
    qualities: ['High', 'Medium', 'Low'],
    picture: 'Broadcast',
  },
  ko: {
    ...ko,
    states: { ...ko.states, waiting: ['아직 방송이 시작되지 않았습니다', '시작하면 여기에 저절로 나옵니다.'], ended: ['방송이 끝났습니다', '이어지면 여기에 다시 나옵니다.'] },
    refused: { ...ko.refused, mesh: ['방송이 없는 방입니다', '참가자끼리 직접 연결되는 방입니다.'] },
    sound: '소리 켜기',
    quality: '화질',
    best: '자동',
    qualities: ['높음', '중간', '낮음'],
    picture: '방송',
  },
};
