//! The server from outside: real sockets, real clients.

mod api;
mod churn;
mod door;
mod doors;
mod kurento;
mod media;
mod program;
mod robot;
mod secure;
mod session;
mod support;
mod tls;
mod turn;
mod ways;
