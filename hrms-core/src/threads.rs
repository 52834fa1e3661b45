//! A few threads for work that would hold up others, behind a short queue.

use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use crate::error::CommonError;

type Task = Box<dyn FnOnce() + Send>;

/// Threads that do nothing but what keeps a processor busy, whatever the async runtime.
///
/// When the queue is full the answer is [`CommonError::Busy`], instead of an ever longer queue.
pub(crate) struct Threads(SyncSender<Task>);

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").finish_non_exhaustive()
    }
}

impl Threads {
    /// Starts this many threads, with room for this many waiting tasks. They end when this is dropped.
    pub(crate) fn start(name: &str, threads: usize, waiting: usize) -> Self {
        let (queue, tasks) = sync_channel::<Task>(waiting);
        let tasks = Arc::new(Mutex::new(tasks));
        for number in 0..threads.max(1) {
            let tasks = tasks.clone();
            let started = thread::Builder::new().name(format!("{name}-{number}")).spawn(move || work(&tasks));
            if let Err(error) = started {
                tracing::error!(%error, name, "a thread did not start");
            }
        }
        Self(queue)
    }

    /// Does a task, and waits for it without holding anybody up.
    ///
    /// # Errors
    /// [`CommonError::Busy`] when the queue is full.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CommonError> {
        let (answer, answered) = oneshot::channel();
        let task = Box::new(move || {
            // A caller who gave up meanwhile costs no work.
            if !answer.is_closed() {
                let _ = answer.send(task());
            }
        });
        self.0.try_send(task).map_err(|_| CommonError::Busy)?;
        answered.await.map_err(|_| CommonError::Busy)
    }
}

fn work(tasks: &Mutex<Receiver<Task>>) {
    loop {
        // The lock is held while waiting, not while working: the threads take turns at the queue.
        let task = tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match task {
            Ok(task) => task(),
            Err(_) => return,
        }
    }
}
