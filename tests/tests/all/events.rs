//! Events and those who listen to them: declared, emitted once, and handled once in effect.

mod feed;
mod subscribers;
