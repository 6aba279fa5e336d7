/** The part of the app that needs the room SDK; loaded when somebody is about to enter. */
import '../styles/room.css';

export { RoomScreen } from './screen';
export { Session } from './session';
