//! Requests that are sent at once share a connection, and each gets its own answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use http::{Method, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, timeout};
use wire::Body;
use wire::client::{ExchangeError, Pool, Settings};

use crate::exchange::{get, pool, text, within};

/// A server that is played by the test.
struct Played {
    listener: TcpListener,
    pool: Pool,
    connected: Arc<AtomicUsize>,
}

/// When a test gives up.
const LATE: Duration = Duration::from_secs(10);

/// A connection to it.
struct Line(TcpStream);

/// A request on its way, which comes to the body of its answer.
type Asked = JoinHandle<String>;

impl Played {
    /// Up to `pipeline` requests share a connection, and wait for so long.
    async fn open(pipeline: usize, patience: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let settings = Settings {
            pipeline,
            patience,
            timeout: LATE,
            ..Settings::default()
        };
        let (pool, connected) = pool(address, settings);
        Self {
            listener,
            pool,
            connected,
        }
    }

    /// Whoever is asked is waited for.
    async fn patient(pipeline: usize) -> Self {
        Self::open(pipeline, Duration::from_secs(60)).await
    }

    async fn connection(&self) -> Line {
        let accepted = timeout(LATE, self.listener.accept()).await;
        let (stream, _) = accepted.expect("in time").expect("somebody connects");
        Line(stream)
    }

    /// A connection that was used before, and is kept.
    async fn kept(&self) -> Line {
        let asked = self.get("/first");
        let mut line = self.connection().await;
        line.answers(&["/first"]).await;
        assert_eq!(asked.await.expect("an answer"), "/first");
        assert_eq!(self.pool.idle(), 1);
        line
    }

    /// Another connection, on which these are answered.
    async fn answers_anew(&self, paths: &[&str]) -> Line {
        let mut line = self.connection().await;
        line.answers(paths).await;
        line
    }

    /// Requests for these that are on one connection, and that connection.
    async fn shared(&self, paths: &[&str]) -> (Vec<Asked>, Line) {
        let mut line = self.kept().await;
        let asked = paths.iter().map(|path| self.get(path)).collect();
        line.hears(paths).await;
        (asked, line)
    }

    /// What is sent without a wait in between is sent at once.
    fn send(&self, request: Request<Body>, again: bool) -> Asked {
        let pool = self.pool.clone();
        tokio::spawn(async move {
            let answer = pool.exchange(request, again).await;
            text(answer.expect("an answer")).await
        })
    }

    /// As far as the head of the answer.
    fn head(&self, path: &str) -> JoinHandle<Result<Response<Body>, ExchangeError>> {
        let (pool, request) = (self.pool.clone(), get(path));
        tokio::spawn(async move { pool.exchange(request, true).await })
    }

    fn get(&self, path: &str) -> Asked {
        self.send(get(path), true)
    }

    fn connected(&self) -> usize {
        self.connected.load(Ordering::SeqCst)
    }
}

impl Line {
    /// What the next request asks for, if there is one.
    async fn next(&mut self) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.ok()?);
        }
        let head = String::from_utf8_lossy(&head);
        head.split(' ').nth(1).map(str::to_owned)
    }

    async fn hear(&mut self) -> String {
        let next = timeout(LATE, self.next()).await;
        next.expect("in time").expect("a request")
    }

    /// These come, and nothing is answered before.
    async fn hears(&mut self, paths: &[&str]) {
        for path in paths {
            assert_eq!(self.hear().await, *path);
        }
    }

    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("writes");
    }

    async fn answer(&mut self, body: &str) {
        self.say(&answer("", body)).await;
    }

    /// Each of these is answered with its path, one after the other.
    async fn answers(&mut self, paths: &[&str]) {
        for path in paths {
            self.hears(&[*path]).await;
            self.answer(path).await;
        }
    }

    /// The same for all of them together.
    async fn answers_at_once(&mut self, paths: &[&str]) {
        self.hears(paths).await;
        let answers = paths.iter().map(|path| answer("", path));
        self.say(&answers.collect::<String>()).await;
    }

    /// Whether the client has closed it, without having said more.
    async fn is_over(&mut self) -> bool {
        let more = timeout(LATE, self.0.read_u8()).await;
        more.expect("in time").is_err()
    }
}

/// A whole answer.
fn answer(fields: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\n{fields}content-length: {length}\r\n\r\n{body}")
}

async fn heard(asked: impl IntoIterator<Item = Asked>) -> Vec<String> {
    let mut heard = Vec::new();
    for asked in asked {
        heard.push(asked.await.expect("an answer"));
    }
    heard
}

#[tokio::test]
async fn what_is_sent_at_once_shares_a_connection() {
    let played = Played::patient(3).await;
    let mut line = played.kept().await;
    let mut head = get("/c");
    *head.method_mut() = Method::HEAD;
    let asked = [played.get("/a"), played.get("/b"), played.send(head, true)];
    line.hears(&["/a", "/b", "/c"]).await;
    line.say("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
        .await;
    line.answer("a").await;
    line.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nb\r\n")
        .await;
    line.say("0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n")
        .await;
    assert_eq!(heard(asked).await, ["a", "b", ""]);
    // It is used again, and shared again.
    let asked = [played.get("/d"), played.get("/e")];
    line.answers_at_once(&["/d", "/e"]).await;
    assert_eq!(heard(asked).await, ["/d", "/e"]);
    assert_eq!((played.connected(), played.pool.idle()), (1, 1));
}

#[tokio::test]
async fn no_more_share_one_than_may() {
    let played = Played::patient(2).await;
    let mut line = played.kept().await;
    let asked = [played.get("/a"), played.get("/b"), played.get("/c")];
    line.hears(&["/a", "/b"]).await;
    let _other = played.answers_anew(&["/c"]).await;
    line.answer("/a").await;
    line.answer("/b").await;
    assert_eq!(heard(asked).await, ["/a", "/b", "/c"]);
    assert_eq!((played.connected(), played.pool.idle()), (2, 2));
}

#[tokio::test]
async fn nobody_gets_into_line_behind_what_was_sent_already() {
    let played = Played::patient(8).await;
    let mut line = played.kept().await;
    let first = played.get("/a");
    line.hears(&["/a"]).await;
    let second = played.get("/b");
    let _other = played.answers_anew(&["/b"]).await;
    line.answer("/a").await;
    assert_eq!(heard([first, second]).await, ["/a", "/b"]);
}

#[tokio::test]
async fn nobody_gets_into_line_behind_what_does_not_share() {
    let played = Played::patient(8).await;
    let mut line = played.kept().await;
    let asked = [played.get("/a"), played.get("/b")];
    line.answers_at_once(&["/a", "/b"]).await;
    assert_eq!(heard(asked).await, ["/a", "/b"]);
    // Goes out on the connection that was shared.
    let mut post = get("/post");
    *post.method_mut() = Method::POST;
    let asked = [played.send(post, false), played.get("/c")];
    line.hears(&["/post"]).await;
    let _other = played.answers_anew(&["/c"]).await;
    line.answer("/post").await;
    assert_eq!(heard(asked).await, ["/post", "/c"]);
}

#[tokio::test]
async fn what_may_not_be_sent_again_has_a_connection_of_its_own() {
    let played = Played::patient(8).await;
    let mut line = played.kept().await;
    let ask = |method: Method, body: Body, again: bool| {
        let mut request = get("/").map(|_| body);
        *request.method_mut() = method;
        played.send(request, again)
    };
    let asked = [
        ask(Method::GET, Body::empty(), true),
        ask(Method::GET, Body::empty(), false),
        ask(Method::POST, Body::empty(), true),
        ask(Method::GET, Body::full("body"), true),
    ];
    line.hears(&["/"]).await;
    let mut lines = Vec::new();
    for _ in 1..asked.len() {
        lines.push(played.answers_anew(&["/"]).await);
    }
    line.answer("/").await;
    assert_eq!(heard(asked).await, ["/"; 4]);
    assert_eq!(played.connected(), 4);
}

#[tokio::test]
async fn behind_the_last_answer_of_a_connection_they_are_sent_again() {
    let played = Played::patient(8).await;
    let (asked, mut line) = played.shared(&["/a", "/b", "/c"]).await;
    let last = answer("connection: close\r\n", "/a");
    // What follows is nobody's answer.
    line.say(&(last + &answer("", "x"))).await;
    let _others = [
        played.answers_anew(&["/b"]).await,
        played.answers_anew(&["/c"]).await,
    ];
    assert_eq!(heard(asked).await, ["/a", "/b", "/c"]);
    assert!(line.is_over().await);
}

#[tokio::test]
async fn behind_an_answer_without_an_end_of_its_own_they_are_sent_again_at_once() {
    let played = Played::patient(8).await;
    let (asked, mut line) = played.shared(&["/a", "/b"]).await;
    line.say("HTTP/1.1 200 OK\r\n\r\nas long as").await;
    let _other = played.answers_anew(&["/b"]).await;
    line.say(" the connection").await;
    drop(line);
    assert_eq!(heard(asked).await, ["as long as the connection", "/b"]);
}

#[tokio::test]
async fn behind_another_protocol_they_are_sent_again() {
    let played = Played::patient(8).await;
    let (asked, mut line) = played.shared(&["/a", "/b"]).await;
    // Nobody has asked for it.
    line.say("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n")
        .await;
    let _other = played.answers_anew(&["/b"]).await;
    assert_eq!(heard(asked).await, ["", "/b"]);
    assert!(line.is_over().await);
}

#[tokio::test]
async fn long_heads_have_messages_of_their_own() {
    let played = Played::patient(8).await;
    let mut line = played.kept().await;
    let long = |path: &str| {
        let mut request = get(path);
        let field = "x".repeat(4096).parse().expect("a field");
        request.headers_mut().insert("x-long", field);
        played.send(request, true)
    };
    let asked = [long("/a"), long("/b"), long("/c")];
    line.hears(&["/a", "/b"]).await;
    let _other = played.answers_anew(&["/c"]).await;
    line.answer("/a").await;
    line.answer("/b").await;
    assert_eq!(heard(asked).await, ["/a", "/b", "/c"]);
}

#[tokio::test]
async fn behind_the_end_of_a_connection_all_are_sent_again() {
    let played = Played::patient(8).await;
    let (asked, line) = played.shared(&["/a", "/b"]).await;
    drop(line);
    // In any order.
    let mut lines = [played.connection().await, played.connection().await];
    for line in &mut lines {
        let path = line.hear().await;
        line.answer(&path).await;
    }
    assert_eq!(heard(asked).await, ["/a", "/b"]);
}

#[tokio::test]
async fn what_follows_the_last_answer_is_nobodys() {
    let played = Played::patient(8).await;
    let (asked, mut line) = played.shared(&["/a", "/b"]).await;
    line.say(&(answer("", "/a") + &answer("", "/b") + &answer("", "x")))
        .await;
    assert_eq!(heard(asked).await, ["/a", "/b"]);
    assert!(line.is_over().await);
    assert_eq!(played.pool.idle(), 0);
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_that_of_one() {
    let played = Played::patient(8).await;
    let mut line = played.kept().await;
    let bad = played.head("/a");
    let asked = played.get("/b");
    line.hears(&["/a", "/b"]).await;
    line.say("HTTP/1.1 OK\r\n\r\n").await;
    let _other = played.answers_anew(&["/b"]).await;
    assert!(bad.await.expect("no panic").is_err());
    assert_eq!(heard([asked]).await, ["/b"]);
    assert!(line.is_over().await);
}

#[tokio::test]
async fn nobody_waits_for_long_behind_another() {
    let patience = Duration::from_millis(100);
    let played = Played::open(8, patience).await;
    let mut line = played.kept().await;
    let begun = Instant::now();
    let (slow, fast) = (played.get("/slow"), played.get("/fast"));
    line.hears(&["/slow", "/fast"]).await;
    let mut other = played.answers_anew(&["/fast"]).await;
    assert_eq!(heard([fast]).await, ["/fast"]);
    assert!(begun.elapsed() >= patience);
    // For now nobody shares.
    let asked = [played.get("/a"), played.get("/b")];
    other.hears(&["/a"]).await;
    let _third = played.answers_anew(&["/b"]).await;
    other.answer("/a").await;
    line.answer("/slow").await;
    assert_eq!(heard(asked).await, ["/a", "/b"]);
    assert_eq!(heard([slow]).await, ["/slow"]);
    assert!(line.is_over().await, "another answer would come");
    let told = played.pool.pipelined();
    assert_eq!((told.joined, told.resent), (1, 1));
}

#[tokio::test]
async fn a_client_who_reads_slowly_is_not_a_server_that_is_slow() {
    let played = Played::open(8, Duration::from_millis(100)).await;
    let mut line = played.kept().await;
    let unread = played.head("/long");
    let asked = played.get("/b");
    line.hears(&["/long", "/b"]).await;
    line.say("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlo")
        .await;
    let _unread = unread.await.expect("no panic");
    let mut other = played.answers_anew(&["/b"]).await;
    assert_eq!(heard([asked]).await, ["/b"]);
    let asked = [played.get("/c"), played.get("/d")];
    other.answers_at_once(&["/c", "/d"]).await;
    assert_eq!(heard(asked).await, ["/c", "/d"]);
}

#[tokio::test]
async fn who_has_no_time_to_be_sent_again_is_not() {
    let played = Played::patient(8).await;
    let mut line = played.kept().await;
    let first = played.get("/a");
    let pool = played.pool.clone();
    let limit = Duration::from_millis(100);
    let hurried = tokio::spawn(async move { within(limit, &pool, get("/b"), true).await });
    line.hears(&["/a", "/b"]).await;
    let hurried = hurried.await.expect("no panic");
    assert!(matches!(hurried, Err(ExchangeError::Slow)), "{hurried:?}");
    line.answer("/a").await;
    assert_eq!(heard([first]).await, ["/a"]);
    let told = played.pool.pipelined();
    assert_eq!((told.joined, told.resent), (1, 0));
    assert_eq!(played.connected(), 1);
}

#[tokio::test]
async fn who_is_sent_again_has_a_budget() {
    let played = Played::patient(16).await;
    let pool = played.pool.clone();
    let server = async {
        loop {
            let mut line = played.connection().await;
            tokio::spawn(async move {
                while let Some(path) = line.next().await {
                    // That is the one who leaves.
                    if path != "/never" {
                        line.answer(&path).await;
                    }
                }
            });
        }
    };
    let (rounds, behind) = (20, 15);
    let clients = async {
        for _ in 0..rounds {
            played.get("/kept").await.expect("an answer");
            let leaves = played.get("/never");
            let asked: Vec<Asked> = (0..behind).map(|_| played.get("/asked")).collect();
            tokio::task::yield_now().await;
            leaves.abort();
            heard(asked).await;
        }
    };
    tokio::select! {
        () = clients => {}
        () = server => unreachable!("serves without an end"),
    }
    let told = pool.pipelined();
    let asked = rounds * (behind + 2);
    assert!((100..=100 + asked / 10).contains(&told.resent), "{told:?}");
}

#[tokio::test]
async fn who_leaves_holds_up_nobody() {
    let paths = ["/a", "/b", "/c"];
    for leaves in 0..paths.len() {
        let played = Played::patient(8).await;
        let mut line = played.kept().await;
        let mut asked: Vec<Asked> = paths.iter().map(|path| played.get(path)).collect();
        line.hears(&paths).await;
        let gone = asked.remove(leaves);
        gone.abort();
        assert!(gone.await.expect_err("it has left").is_cancelled());
        let mut lines = Vec::new();
        for path in &paths[leaves + 1..] {
            lines.push(played.answers_anew(&[*path]).await);
        }
        for path in &paths[..leaves] {
            line.answer(path).await;
        }
        let mut left = paths.to_vec();
        left.remove(leaves);
        assert_eq!(heard(asked).await, left);
        assert!(line.is_over().await);
    }
}

#[tokio::test]
async fn those_behind_a_long_answer_are_answered_when_it_was_read() {
    let played = Played::patient(8).await;
    let mut line = played.kept().await;
    let (head, begun) = tokio::sync::oneshot::channel();
    let pool = played.pool.clone();
    let long = tokio::spawn(async move {
        let answer = pool.exchange(get("/long"), true).await.expect("a head");
        head.send(()).expect("somebody waits");
        text(answer).await
    });
    let asked = [long, played.get("/b")];
    line.hears(&["/long", "/b"]).await;
    line.say("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlo")
        .await;
    begun.await.expect("the rest is not here yet");
    line.say("ng").await;
    line.answer("/b").await;
    assert_eq!(heard(asked).await, ["long", "/b"]);
    assert_eq!((played.connected(), played.pool.idle()), (1, 1));
}

#[tokio::test]
async fn those_behind_a_long_answer_that_nobody_reads_are_sent_again() {
    let played = Played::patient(8).await;
    let mut line = played.kept().await;
    let long = played.head("/long");
    let asked = played.get("/b");
    line.hears(&["/long", "/b"]).await;
    line.say("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlo")
        .await;
    assert!(long.await.expect("no panic").is_ok());
    let _other = played.answers_anew(&["/b"]).await;
    assert_eq!(heard([asked]).await, ["/b"]);
    assert!(line.is_over().await);
}

/// A server that closes when it likes, answers in all forms and in pieces, and never before it has nothing
/// else to do.
async fn moody(listener: TcpListener) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        // What is kept back would be lost when it closes though more was asked.
        stream.set_nodelay(true).expect("it is TCP");
        tokio::spawn(async move {
            let mut line = Line(stream);
            for served in 0.. {
                let Some(path) = line.next().await else {
                    return;
                };
                let number: u32 = path[1..].parse().expect("a number");
                for _ in 0..number % 5 {
                    tokio::task::yield_now().await;
                }
                let chunk = format!("{:x}\r\n{path}\r\n", path.len());
                let chunked =
                    format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}");
                let last = answer("connection: close\r\n", &path);
                let said = match number % 13 {
                    // Not on a new connection, where nobody would ask once more.
                    0 if served > 0 => return,
                    1 => {
                        line.say(&last).await;
                        return;
                    }
                    2 | 3 => [chunked.as_str(), "0\r\n\r\n"].map(String::from),
                    4 => ["HTTP/1.1 103 Early Hints\r\n\r\n", &answer("", &path)].map(String::from),
                    _ => {
                        let mut head = answer("", &path);
                        let body = head.split_off(head.len() - 3);
                        [head, body]
                    }
                };
                for part in said {
                    if line.0.write_all(part.as_bytes()).await.is_err() {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            }
        });
    }
}

#[tokio::test]
async fn nobody_hears_what_is_said_to_another() {
    let played = Played::patient(8).await;
    let pool = played.pool.clone();
    tokio::spawn(moody(played.listener));
    let clients = (0..24_u32).map(|client| {
        let pool = pool.clone();
        tokio::spawn(async move {
            for request in 0..100 {
                let path = format!("/{}", 1000 + client * 100 + request);
                let asked = async {
                    let answer = pool.exchange(get(&path), true).await;
                    text(answer.expect("an answer")).await
                };
                // Some are tired of waiting.
                let tired = async {
                    for _ in 0..(client + request) % 50 {
                        tokio::task::yield_now().await;
                    }
                    if request % 10 != 0 {
                        std::future::pending::<()>().await;
                    }
                };
                tokio::select! {
                    heard = asked => assert_eq!(heard, path),
                    () = tired => {}
                }
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("its own answers");
    }
    let told = pool.pipelined();
    assert!(told.joined > 100 && told.resent > 10, "{told:?}");
}

#[test]
fn who_waits_on_another_thread_hears_his_own_answer() {
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let others = runtime.handle().clone();
        let own = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        own.block_on(async {
            // Whoever waits loses patience at once.
            let played = Played::open(8, Duration::from_micros(100)).await;
            let pool = played.pool.clone();
            tokio::spawn(moody(played.listener));
            for round in 0..200_u32 {
                let asked = (0..8).map(|number| {
                    let (pool, path) = (pool.clone(), format!("/{}", 1000 + round * 8 + number));
                    let asked = async move {
                        let answer = pool.exchange(get(&path), true).await;
                        assert_eq!(text(answer.expect("an answer")).await, path);
                    };
                    // As a cache does, whose answers many wait for.
                    let asked = asked.boxed().shared();
                    others.spawn(asked.clone());
                    tokio::spawn(asked)
                });
                for asked in asked.collect::<Vec<_>>() {
                    asked.await.expect("its own answer");
                }
            }
        });
        runtime.shutdown_background();
        done.send(()).expect("somebody waits");
    });
    ended
        .recv_timeout(Duration::from_secs(60))
        .expect("nobody waits for ever");
}
