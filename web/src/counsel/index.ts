/** The counselling page; loaded by who opens one of its links. */
import '../styles/room.css';
import '../styles/counsel.css';

export { CounselVisit as Page } from './visit';
