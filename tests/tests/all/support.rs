//! Fresh databases for tests, and futures that are dropped half-way.

use std::pin::Pin;
use std::task::Poll;

pub(crate) use hrms_tests::{Fresh, postgres, sqlite_file, sqlite_memory};

/// Runs a future until it has waited so many times, then drops it; whether it ended before.
pub(crate) async fn for_a_while<F: Future>(future: F, waits: usize) -> bool {
    let mut future: Pin<Box<F>> = Box::pin(future);
    let mut waited = 0;
    std::future::poll_fn(move |cx| match future.as_mut().poll(cx) {
        Poll::Ready(_) => Poll::Ready(true),
        Poll::Pending if waited >= waits => Poll::Ready(false),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    })
    .await
}
