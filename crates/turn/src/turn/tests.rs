mod fuzz;
mod peers;
mod relaying;
mod requests;
mod strangers;
mod streams;
