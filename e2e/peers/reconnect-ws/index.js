// Stands in for the reconnect-ws that kurento-client takes from GitHub alone: as much of it as that client uses.
'use strict';
const { EventEmitter } = require('node:events');
const WebSocket = require('ws');

const DELAY_MS = 1000;

module.exports = ({ failAfter }, opened) => {
  const re = Object.assign(new EventEmitter(), { connected: false, reconnect: true });
  let attempts = 0;
  let socket;
  re.connect = (url, options) => {
    const open = () => {
      socket = new WebSocket(url, options);
      socket.on('error', () => {});
      socket.on('open', () => {
        Object.assign(re, { connected: true });
        attempts = 0;
        opened(socket);
        re.emit('connection', socket);
      });
      socket.on('close', () => {
        re.connected = false;
        if (!re.reconnect) return;
        attempts += 1;
        if (attempts > failAfter) {
          re.reconnect = false;
          re.emit('fail');
          return;
        }
        re.emit('reconnect', attempts, DELAY_MS);
        setTimeout(open, DELAY_MS).unref();
      });
    };
    open();
    return re;
  };
  // For the tests: the line breaks.
  re.cut = () => socket.terminate();
  re.disconnect = () => {
    re.reconnect = false;
    socket?.close();
    return re;
  };
  return re;
};
