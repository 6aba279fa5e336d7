import { language } from '../i18n';
import { type CheckWords, en } from './words-en';
import { ko } from './words-ko';

/** Both languages are small, and come with the page: whoever switches sees the same findings in other words. */
export function checkWords(): CheckWords {
  return language.value === 'ko' ? ko : en;
}
