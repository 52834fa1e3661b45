//! A few threads that do nothing but hash, behind a short queue.

use std::thread;

use crate::error::CommonError;
use crate::password::{self, Verdict};
use crate::secret::Secret;
use crate::threads::Threads;

/// Passwords that may wait per thread: at tens of milliseconds each, more would be answered too late.
const WAITING_PER_THREAD: usize = 16;

/// Hashes and verifies passwords on threads of its own, at most one per core, whatever the async runtime.
///
/// Hashing is expensive on purpose. Here it can't starve requests that need no password, and a flood of
/// log-ins is answered with [`CommonError::Busy`] instead of an ever longer queue.
#[derive(Debug)]
pub struct HashingPool(Threads);

impl HashingPool {
    /// Starts one thread per core. They end when the pool is dropped.
    #[must_use]
    pub fn start() -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self::with(threads, threads * WAITING_PER_THREAD)
    }

    /// Starts this many threads, with room for this many waiting passwords.
    #[must_use]
    pub fn with(threads: usize, waiting: usize) -> Self {
        Self(Threads::start("hashing", threads, waiting))
    }

    /// Hashes a password.
    ///
    /// # Errors
    /// [`CommonError::Busy`] when the queue is full.
    pub async fn hash(&self, password: Secret) -> Result<String, CommonError> {
        self.run(move || password::hash(&password)).await
    }

    /// Compares a password with a stored hash; does the same work where there is none.
    ///
    /// # Errors
    /// [`CommonError::Busy`] when the queue is full.
    pub async fn verify(&self, password: Secret, stored: Option<String>) -> Result<Verdict, CommonError> {
        self.run(move || password::verify(&password, stored.as_deref())).await
    }

    async fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce() -> Result<T, CommonError> + Send + 'static,
    ) -> Result<T, CommonError> {
        self.0.run(task).await?
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn hashes_and_verifies() {
        let pool = HashingPool::with(2, 4);
        let stored = pool.hash(Secret::new("correct horse battery")).await.unwrap();
        let right = pool.verify(Secret::new("correct horse battery"), Some(stored)).await.unwrap();
        assert_eq!(right, Verdict::Right);
        assert_eq!(pool.verify(Secret::new("x"), None).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_full_queue_says_busy() {
        let pool = HashingPool::with(1, 1);
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (at_work, started) = oneshot::channel();
        let first = pool.run(move || {
            let _ = at_work.send(());
            let _ = held.recv();
            Ok(())
        });
        let first = std::pin::pin!(first);
        let second = async {
            started.await.unwrap();
            // The thread is at work; one waits, and there is no room for another.
            let mut waiting = std::pin::pin!(pool.run(|| Ok(())));
            assert!(futures_poll(waiting.as_mut()).await.is_none());
            assert!(matches!(pool.run(|| Ok(())).await, Err(CommonError::Busy)));
            release.send(()).unwrap();
            waiting.await.unwrap();
        };
        let (first, ()) = tokio::join!(first, second);
        first.unwrap();
    }

    /// Polls once.
    async fn futures_poll<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
        std::future::poll_fn(|cx| match std::pin::Pin::new(&mut future).poll(cx) {
            std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }
}
