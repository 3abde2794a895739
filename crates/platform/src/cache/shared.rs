//! Values in Redis, which every instance sees.

use std::fmt;
use std::time::Duration;

use kernel::Sources;
use ring::digest::{SHA256, digest};

use crate::redis::{Away, Cmd, Redis, Script};

/// Counters are `COUNT UNTIL`, in microseconds of the server's clock. The first argument is the
/// time, which production leaves empty; the second the window, the third what is added. Nothing is
/// written where nothing is added, and nothing is taken from a window that has ended.
const COUNT: &str = r"
local now = tonumber(ARGV[1])
if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end
local window, add = tonumber(ARGV[2]), tonumber(ARGV[3])
local value = redis.call('GET', KEYS[1]) or ''
local count, ends = string.match(value, '^(%d+) (%d+)$')
count, ends = tonumber(count or 0), tonumber(ends or 0)
if ends <= now then
    count, ends = 0, now
    if add > 0 then ends = now + window end
end
if add ~= 0 and ends > now then
    count = math.max(count + add, 0)
    local expiry = math.ceil((ends - now) / 1000) + 1
    if ARGV[1] ~= '' then expiry = 60000 end
    redis.call('SET', KEYS[1], string.format('%.0f %.0f', count, ends), 'PX', expiry)
end
return {count, ends - now}
";

pub(super) struct Shared {
    redis: Redis,
    count: Script,
    /// Only in tests: whose time it is, instead of the server's.
    clock: Option<Sources>,
}

impl Shared {
    pub(super) fn new(redis: Redis, clock: Option<Sources>) -> Self {
        Self {
            redis,
            count: Script::new(COUNT),
            clock,
        }
    }

    pub(super) async fn count(&self, key: &str, window: Duration) -> Result<(u32, Duration), Away> {
        let window = i64::try_from(window.as_micros()).unwrap_or(i64::MAX);
        self.add(key, window, 1).await
    }

    pub(super) async fn counted(&self, key: &str) -> Result<(u32, Duration), Away> {
        self.add(key, 0, 0).await
    }

    pub(super) async fn take_back(&self, key: &str) -> Result<(), Away> {
        self.add(key, 0, -1).await.map(drop)
    }

    pub(super) async fn forget(&self, key: &str) -> Result<(), Away> {
        let mut command = Cmd::new();
        command.arg("DEL").arg(self::key(key));
        self.redis.command(&command).await
    }

    async fn add(&self, key: &str, window: i64, add: i64) -> Result<(u32, Duration), Away> {
        let key = self::key(key);
        let now = self.clock.as_ref().map(|clock| clock.now().micros());
        let fill = |command: &mut Cmd| {
            command.arg(&key);
            match now {
                Some(now) => command.arg(now),
                None => command.arg(""),
            };
            command.arg(window).arg(add);
        };
        let (count, left): (i64, i64) = self.redis.script(&self.count, 1, fill).await?;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let left = Duration::from_micros(u64::try_from(left).unwrap_or(0));
        Ok((count, left))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.redis.fmt(f)
    }
}

/// Keys hold e-mail addresses, which are nobody's business there.
fn key(key: &str) -> String {
    let hash = digest(&SHA256, key.as_bytes());
    let mut text = String::from("rialto:count:");
    for byte in &hash.as_ref()[..16] {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
