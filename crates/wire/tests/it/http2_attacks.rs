//! Attacks on HTTP/2, frame by frame: each ends its connection or is bounded, and others are served
//! meanwhile. All of it in one thread, so who is served is served beside the attack.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use wire::Body;
use wire::front::Front;
use wire::server::Settings;

use crate::frames::{
    CALM, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PRIORITY,
    RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE, field, frame, get,
};
use crate::stage::Stage;

const MIB: usize = 1 << 20;

/// A server that knows what it was made to do.
struct Target {
    stage: Stage,
    work: Arc<Work>,
}

#[derive(Default)]
struct Work {
    asked: AtomicUsize,
    running: AtomicUsize,
    given: AtomicUsize,
}

impl Target {
    async fn open() -> Self {
        Self::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Self {
        let work = Arc::<Work>::default();
        let doing = work.clone();
        let answer = tower::service_fn(move |request| answer(doing.clone(), request));
        let stage = Stage::serving(answer, Front::default(), settings).await;
        Self { stage, work }
    }

    async fn attack(&self, settings: &[(u16, u32)]) -> Raw {
        Raw::begin(self.stage.address, settings).await
    }

    /// Somebody else is served.
    async fn serves(&self) {
        let asking = self
            .stage
            .says(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = tokio::time::timeout(Duration::from_secs(10), asking).await;
        assert!(answer.expect("in time").ends_with("served"));
        let mut other = self.attack(&[]).await;
        other.get(1, "/").await;
        let answer = other
            .until(|frame| frame.kind == DATA)
            .await
            .expect("an answer");
        assert_eq!(answer.payload, b"served");
    }
}

/// `/never` is not answered, `/endless` without end, and everything else at once.
async fn answer(work: Arc<Work>, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    work.asked.fetch_add(1, Ordering::Relaxed);
    work.running.fetch_add(1, Ordering::Relaxed);
    let running = Running(work.clone());
    Ok(Response::new(match request.uri().path() {
        "/never" => {
            let _running = running;
            std::future::pending().await
        }
        "/endless" => Body::new(Endless(running)),
        _ => Body::full("served"),
    }))
}

struct Running(Arc<Work>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Endless(Running);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        static PART: [u8; 16 << 10] = [b'x'; 16 << 10];
        self.0.0.given.fetch_add(PART.len(), Ordering::Relaxed);
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(&PART)))))
    }
}

fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
}

#[tokio::test]
async fn requests_that_are_reset_at_once_end_the_connection() {
    let target = Target::open().await;
    let mut attack = target.attack(&[]).await;
    let mut flood = Vec::new();
    for stream in (1..20_001).step_by(2) {
        flood.extend(frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            stream,
            &get("/never"),
        ));
        flood.extend(reset(stream));
    }
    attack.send(&flood).await;
    target.serves().await;
    let last = attack.ends().await.expect("it is told why");
    assert_eq!((last.kind, last.error()), (GOAWAY, Some(CALM)));
    let asked = target.work.asked.load(Ordering::Relaxed);
    assert!(asked < 200, "{asked} of 10000 requests came through");
}

#[tokio::test]
async fn requests_that_are_reset_when_they_run_end_the_connection() {
    let target = Target::open().await;
    let mut attack = target.attack(&[]).await;
    let mut made = 0;
    for stream in (1..20_001).step_by(2) {
        // A ping behind each: when it is answered, the request has begun to run.
        let request = frame(HEADERS, END_HEADERS | END_STREAM, stream, &get("/never"));
        let bytes = [request, frame(PING, 0, 0, &[7; 8])].concat();
        if !attack.send(&bytes).await || attack.until(|frame| frame.kind == PING).await.is_none() {
            break;
        }
        if !attack.send(&reset(stream)).await {
            break;
        }
        made += 1;
    }
    assert!((100..1000).contains(&made), "{made} requests were made");
    attack.ends().await;
    target.serves().await;
    while target.work.running.load(Ordering::Relaxed) > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_head_without_end_ends_the_connection() {
    let target = Target::open().await;
    let mut attack = target.attack(&[]).await;
    attack.send(&frame(HEADERS, END_STREAM, 1, &get("/"))).await;
    // Fields that are decoded and thrown away, and frames with nothing in them.
    for payload in [field("x-filler", &"x".repeat(8000)), Vec::new()] {
        let continuation = frame(CONTINUATION, 0, 1, &payload);
        let flood = continuation.repeat(16);
        let sent = attack.flood(&flood, 256 * MIB).await;
        assert!(sent < 64 * MIB, "{sent} bytes were taken");
    }
    attack.ends().await;
    target.serves().await;
    assert_eq!(
        target.work.asked.load(Ordering::Relaxed),
        2,
        "only by others"
    );
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let target = Target::with(Settings {
        head_limit: 16 << 10,
        ..Settings::default()
    })
    .await;
    let mut attack = target.attack(&[]).await;
    // A little too large: refused alone. The connection goes on.
    let mut fields = get("/");
    fields.extend(field("x-a", &"x".repeat(9000)));
    let rest = field("x-b", &"x".repeat(9000));
    attack.send(&frame(HEADERS, END_STREAM, 1, &fields)).await;
    attack
        .send(&frame(CONTINUATION, END_HEADERS, 1, &rest))
        .await;
    attack.get(3, "/").await;
    let answer = attack.until(|frame| {
        assert_ne!(frame.kind, GOAWAY);
        frame.stream == 3 && frame.kind == DATA
    });
    assert_eq!(answer.await.expect("answers").payload, b"served");
    let asked = target.work.asked.load(Ordering::Relaxed);
    assert_eq!(asked, 1, "the large one went no further");
    // Many small fields that are large in the table only: a reference costs a byte.
    let mut bomb = get("/");
    bomb.extend([&[0x40, 1, b'x', 127, 0xa1, 0x1e][..], &[b'y'; 4000]].concat());
    bomb.extend([0xbe; 8000]);
    attack
        .send(&frame(HEADERS, END_HEADERS | END_STREAM, 5, &bomb))
        .await;
    attack.get(7, "/").await;
    let _ = attack
        .until(|frame| frame.stream == 7 && frame.kind == DATA)
        .await;
    let asked = target.work.asked.load(Ordering::Relaxed);
    assert!(asked <= 2, "32 MB of fields from 12 KB went no further");
    target.serves().await;
}

#[tokio::test]
async fn frames_that_bring_nothing_end_the_connection() {
    for (flood, name) in [
        (frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]), "settings"),
        (frame(PING, 0, 0, &[0; 8]), "pings"),
        (frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 16]), "priorities"),
        (frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]), "window updates"),
        (frame(0x7f, 0, 0, &[0; 32]), "unknown frames"),
    ] {
        let target = Target::open().await;
        let mut attack = target.attack(&[]).await;
        let sent = attack.flood(&flood.repeat(64), 64 * MIB).await;
        assert!(sent < 64 * MIB, "{name}: {sent} bytes were taken");
        attack.ends().await;
        target.serves().await;
    }
}

#[tokio::test]
async fn empty_data_ends_the_connection() {
    let target = Target::open().await;
    let mut attack = target.attack(&[]).await;
    attack
        .send(&frame(HEADERS, END_HEADERS, 1, &get("/never")))
        .await;
    let sent = attack
        .flood(&frame(DATA, 0, 1, b"").repeat(64), 64 * MIB)
        .await;
    assert!(sent < 64 * MIB, "{sent} bytes were taken");
    attack.ends().await;
    target.serves().await;
}

#[tokio::test]
async fn no_more_streams_are_open_than_allowed() {
    let target = Target::with(Settings {
        streams: 10,
        ..Settings::default()
    })
    .await;
    let mut attack = target.attack(&[]).await;
    for stream in (1..200).step_by(2) {
        attack.get(stream, "/never").await;
    }
    let refused = attack
        .until(|frame| frame.kind == RST_STREAM || frame.kind == GOAWAY)
        .await;
    assert!(refused.is_some());
    assert!(target.work.running.load(Ordering::Relaxed) <= 10);
    target.serves().await;
}

/// A client that asks for much and makes no room for it, with windows of nothing or of little.
#[tokio::test(start_paused = true)]
async fn answers_that_nobody_takes_are_given_up() {
    for window in [0, 100] {
        let target = Target::open().await;
        let mut attack = target.attack(&[(4, window)]).await;
        for stream in (1..200).step_by(2) {
            attack.get(stream, "/endless").await;
        }
        let mut resets = 0;
        while resets < 100 {
            let reset = attack.until(|frame| frame.kind == RST_STREAM);
            let reset = tokio::time::timeout(Duration::from_secs(40), reset).await;
            assert!(
                reset.expect("before the deadline").is_some(),
                "after {resets}"
            );
            resets += 1;
        }
        let given = target.work.given.load(Ordering::Relaxed);
        // A part or two of each, and no more however long it waits.
        assert!(given <= 100 * (32 << 10), "{given} bytes were prepared");
        assert_eq!(target.work.running.load(Ordering::Relaxed), 0);
        target.serves().await;
    }
}

/// A client that does not read at all, however much room its windows have.
#[tokio::test(start_paused = true)]
async fn who_reads_nothing_is_left() {
    let target = Target::open().await;
    let mut attack = target.attack(&[(4, 0x7fff_ffff)]).await;
    attack
        .send(&frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0, 0, 0]))
        .await;
    for stream in (1..200).step_by(2) {
        attack.get(stream, "/endless").await;
    }
    let left = async {
        while target.work.asked.load(Ordering::Relaxed) < 100
            || target.work.running.load(Ordering::Relaxed) > 0
        {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let left = tokio::time::timeout(Duration::from_secs(60), left).await;
    left.expect("a ping that nobody answers, or the deadline of each answer");
    let given = target.work.given.load(Ordering::Relaxed);
    assert!(given < 64 * MIB, "{given} bytes were prepared");
    target.serves().await;
}
