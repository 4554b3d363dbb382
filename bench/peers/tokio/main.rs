// SPDX-License-Identifier: MIT
//! Peer of nido-bench: tokio, on its current-thread runtime. bench/harness/peers.h says how it is asked and
//! what it answers. It has no channel without a buffer: a capacity of one stands for it.

use std::cell::RefCell;
use std::future::Future;
use std::os::unix::io::FromRawFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{mpsc, Mutex, Notify, Semaphore};
use tokio::task::{self, JoinHandle};
use tokio::time::timeout;

#[derive(Clone, Copy)]
struct Ask {
    rounds: usize,
    count: usize,
    warm_up: usize, // rounds before the measured ones
}

type Work = fn(Ask) -> Pin<Box<dyn Future<Output = ()>>>;

const CASES: &[(&str, Work)] = &[
    ("switch", |ask| Box::pin(ring(ask))),
    ("yield_1000", |ask| Box::pin(ring(ask))),
    ("yield_100000", |ask| Box::pin(ring(ask))),
    ("spawn_join", |ask| Box::pin(spawn_and_join(ask))),
    ("spawn_10000", |ask| Box::pin(spawn_and_join(ask))),
    ("chan_pingpong", |ask| Box::pin(ping_pong(ask))),
    ("chan_stream", |ask| Box::pin(stream(ask))),
    ("mutex_handoff", |ask| Box::pin(mutex_handoff(ask))),
    ("with_timeout_ready", |ask| Box::pin(with_timeout(ask))),
    ("wake_idle", |ask| Box::pin(wake(ask))),
    ("wake_busy", |ask| Box::pin(wake(ask))),
    ("startup", |_| Box::pin(hello())),
    ("timers", |ask| Box::pin(timers(ask))),
    ("cancel_1000", |ask| Box::pin(cancel(ask))),
    ("cancel_100000", |ask| Box::pin(cancel(ask))),
    ("memory_10000", |ask| Box::pin(memory(ask))),
    ("memory_100000", |ask| Box::pin(memory(ask))),
    ("memory_1000000", |ask| Box::pin(memory(ask))),
    ("echo_1", |ask| Box::pin(echo(ask))),
    ("echo_100", |ask| Box::pin(echo(ask))),
    ("echo_1000", |ask| Box::pin(echo(ask))),
    ("echo_5000", |ask| Box::pin(echo(ask))),
    ("churn", |_| Box::pin(churn())),
];

fn say_per_operation(elapsed: Duration, operations: usize) {
    let ns = elapsed.as_nanos();
    println!("{{\"ns\": {}, \"values\": [{}]}}", ns, ns as f64 / operations as f64);
}

fn cpu_time() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid place for the answer.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn spawn_many<F, T>(count: usize, mut make: F) -> Vec<JoinHandle<()>>
where
    F: FnMut() -> T,
    T: Future<Output = ()> + Send + 'static,
{
    (0..count).map(|_| task::spawn(make())).collect()
}

async fn join_many(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        let _ = task.await;
    }
}

async fn give_way(times: usize) {
    for _ in 0..times {
        task::yield_now().await;
    }
}

/// One turn of the leader is a turn of every task. It is a task like the others: the future that the
/// runtime blocks on has a queue of its own.
async fn ring(ask: Ask) {
    let leader = task::spawn(async move {
        give_way(ask.warm_up).await;
        let start = Instant::now();
        give_way(ask.rounds).await;
        say_per_operation(start.elapsed(), ask.rounds * ask.count);
    });
    let others = spawn_many(ask.count - 1, || give_way(ask.warm_up + ask.rounds));
    leader.await.unwrap();
    join_many(others).await;
}

async fn spawn_and_join(ask: Ask) {
    let work = async move {
        join_many(spawn_many(ask.count, || async {})).await;
        let start = Instant::now();
        for _ in 0..ask.rounds {
            join_many(spawn_many(ask.count, || async {})).await;
        }
        say_per_operation(start.elapsed(), ask.rounds * ask.count);
    };
    task::spawn(work).await.unwrap();
}

async fn talk(times: usize, there: &mpsc::Sender<usize>, back: &mut mpsc::Receiver<usize>) {
    for i in 0..times {
        there.send(i).await.unwrap();
        back.recv().await.unwrap();
    }
}

async fn ping_pong(ask: Ask) {
    let (there, mut questions) = mpsc::channel(1);
    let (answers, mut back) = mpsc::channel(1);
    let other = task::spawn(async move {
        while let Some(item) = questions.recv().await {
            answers.send(item).await.unwrap();
        }
    });
    let one = task::spawn(async move {
        talk(ask.warm_up, &there, &mut back).await;
        let start = Instant::now();
        talk(ask.rounds, &there, &mut back).await;
        say_per_operation(start.elapsed(), ask.rounds * 2);
    });
    one.await.unwrap();
    other.await.unwrap();
}

async fn receive(times: usize, items: &mut mpsc::Receiver<usize>) {
    for _ in 0..times {
        items.recv().await.unwrap();
    }
}

async fn stream(ask: Ask) {
    let (sender, mut items) = mpsc::channel(128);
    let producer = task::spawn(async move {
        for i in 0..ask.warm_up + ask.rounds {
            sender.send(i).await.unwrap();
        }
    });
    let consumer = task::spawn(async move {
        receive(ask.warm_up, &mut items).await;
        let start = Instant::now();
        receive(ask.rounds, &mut items).await;
        say_per_operation(start.elapsed(), ask.rounds);
    });
    consumer.await.unwrap();
    producer.await.unwrap();
}

async fn contend(times: usize, mutex: Arc<Mutex<()>>) {
    for _ in 0..times {
        let _guard = mutex.lock().await;
        task::yield_now().await;
    }
}

async fn mutex_handoff(ask: Ask) {
    let mutex = Arc::new(Mutex::new(()));
    let shared = mutex.clone();
    let leader = task::spawn(async move {
        contend(ask.warm_up, shared.clone()).await;
        let start = Instant::now();
        contend(ask.rounds, shared).await;
        say_per_operation(start.elapsed(), ask.rounds * ask.count);
    });
    let other = task::spawn(contend(ask.warm_up + ask.rounds, mutex));
    leader.await.unwrap();
    other.await.unwrap();
}

/// What is ready is a permit: a semaphore that never runs out of them.
async fn with_timeout(ask: Ask) {
    let work = async move {
        let permits = Semaphore::new(1);
        let start = Instant::now();
        for _ in 0..ask.rounds {
            let _permit = timeout(Duration::from_secs(3600), permits.acquire()).await.unwrap();
        }
        say_per_operation(start.elapsed(), ask.rounds);
    };
    task::spawn(work).await.unwrap();
}

async fn hello() {
    task::spawn(async { println!("hello") }).await.unwrap();
}

thread_local! {
    static SEED: RefCell<[u16; 3]> = RefCell::new([1, 2, 3]);
}

fn random_ms() -> u64 {
    SEED.with(|seed| {
        // SAFETY: nrand48 reads and writes three words.
        let drawn = unsafe { libc::nrand48(seed.borrow_mut().as_mut_ptr()) };
        1 + drawn as u64 % 1000
    })
}

async fn timers(ask: Ask) {
    let sleepers = spawn_many(ask.count, || async {
        tokio::time::sleep(Duration::from_millis(random_ms())).await;
    });
    let (cpu, start) = (cpu_time(), Instant::now());
    join_many(sleepers).await;
    let (cpu, wall) = (cpu_time() - cpu, start.elapsed());
    println!(
        "{{\"ns\": {}, \"values\": [{}, {}]}}",
        wall.as_nanos(),
        cpu.as_secs_f64() * 1e3,
        wall.as_secs_f64() * 1e3
    );
}

/// CLOCK_MONOTONIC, as the stamps of the waker are.
fn monotonic() -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid place for the answer.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// How late it was at work after each stamp, in us.
fn note_wakes(us: &mut Vec<f64>, stamps: &[u8]) {
    let now = monotonic();
    for stamp in stamps.chunks_exact(8) {
        let sent = i64::from_ne_bytes(stamp.try_into().unwrap());
        us.push((now - sent) as f64 / 1e3);
    }
}

/// The first fifth is the warm-up.
fn say_wakes(us: &[f64]) {
    let mut us = us[us.len() / 5..].to_vec();
    us.sort_by(f64::total_cmp);
    let at = |share: f64| us[(share * (us.len() - 1) as f64) as usize];
    println!("{{\"ns\": 0, \"values\": [{}, {}, {}]}}", at(0.5), at(0.99), at(0.999));
}

async fn busy(over: Arc<AtomicBool>) {
    while !over.load(Ordering::Relaxed) {
        let start = Instant::now();
        while start.elapsed() < Duration::from_micros(1) {}
        task::yield_now().await;
    }
}

async fn woken() {
    // SAFETY: nothing else uses the standard input.
    let stdin = unsafe { std::os::unix::net::UnixStream::from_raw_fd(0) };
    let mut waker = UnixStream::from_std(stdin).unwrap();
    let (mut us, mut stamps) = (Vec::new(), [0; 512]);
    waker.write_all(&[0]).await.unwrap();
    while let Ok(n @ 1..) = waker.read(&mut stamps).await {
        note_wakes(&mut us, &stamps[..n]);
    }
    say_wakes(&us);
}

async fn wake(ask: Ask) {
    let over = Arc::new(AtomicBool::new(false));
    let others = spawn_many(ask.count, || busy(over.clone()));
    task::spawn(woken()).await.unwrap();
    over.store(true, Ordering::Relaxed);
    join_many(others).await;
}

/// Tasks that wait for what never comes.
async fn park(count: usize, never: &Arc<Notify>) -> Vec<JoinHandle<()>> {
    let tasks = spawn_many(count, || {
        let never = never.clone();
        async move { never.notified().await }
    });
    task::yield_now().await;
    tasks
}

async fn memory(ask: Ask) {
    let work = async move {
        let _tasks = park(ask.count, &Arc::new(Notify::new())).await;
        println!("{{\"parked\": {}}}", ask.count);
        std::thread::sleep(Duration::from_secs(3600));
    };
    task::spawn(work).await.unwrap();
}

async fn cancel_parked(count: usize, never: &Arc<Notify>) -> Duration {
    let tasks = park(count, never).await;
    let start = Instant::now();
    tasks.iter().for_each(JoinHandle::abort);
    join_many(tasks).await;
    start.elapsed()
}

async fn cancel(ask: Ask) {
    let work = async move {
        let never = Arc::new(Notify::new());
        let mut elapsed = Duration::ZERO;
        cancel_parked(ask.count, &never).await;
        for _ in 0..ask.rounds {
            elapsed += cancel_parked(ask.count, &never).await;
        }
        say_per_operation(elapsed, ask.rounds * ask.count);
    };
    task::spawn(work).await.unwrap();
}

async fn serve(mut connection: TcpStream) {
    let mut buffer = [0; 512];
    while let Ok(n) = connection.read(&mut buffer).await {
        if n == 0 || connection.write_all(&buffer[..n]).await.is_err() {
            break;
        }
    }
}

async fn echo(ask: Ask) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{{\"port\": {}}}", listener.local_addr().unwrap().port());
    let mut tasks = Vec::new();
    for _ in 0..ask.count {
        let (connection, _) = listener.accept().await.unwrap();
        connection.set_nodelay(true).unwrap();
        tasks.push(task::spawn(serve(connection)));
    }
    join_many(tasks).await;
}

/// Until it is killed.
async fn churn() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{{\"port\": {}}}", listener.local_addr().unwrap().port());
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        let _ = connection.set_nodelay(true); // it may be over by now
        task::spawn(serve(connection));
    }
}

fn say_about() {
    let names: Vec<String> = CASES.iter().map(|(name, _)| format!("\"{}\"", name)).collect();
    let version = env!("PEER_TOKIO_VERSION");
    println!("{{\"version\": \"{}\", \"cases\": [{}]}}", version, names.join(", "));
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.len() == 2 && args[1] == "--about" {
        return say_about();
    }
    let found = CASES.iter().find(|(name, _)| args.len() == 4 && *name == args[1]);
    let (_, work) = found.expect("usage: peer-tokio --about | CASE ROUNDS COUNT");
    let rounds: usize = args[2].parse().expect("a number of rounds");
    let count: usize = args[3].parse().expect("a number of tasks");
    let ask = Ask { rounds, count, warm_up: rounds / 8 + 1 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work(ask));
}
