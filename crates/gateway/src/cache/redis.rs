//! The second level in Redis: what one instance has fetched, the others find there.
//!
//! Nothing is listed by tag. Each purge has a number, which grows, and a sorted set keeps the number
//! of the last purge of each tag; a value keeps its tags and how many purges it has outlived, and is
//! looked at when it is asked for, as in [the first level](super::purge). A purge costs the same
//! however many values it concerns, and none of them can be missed because a list of them was
//! evicted: where the set itself is gone, everything that is older counts as purged.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use platform::cache::CacheUrl;
use platform::metrics::Metrics;
use platform::redis::{Away, Cmd, Redis, RedisSettings, Script};
use ring::digest::{SHA256, digest};

use super::elsewhere::{Announcement, CHANNEL};
use super::second::{EVERYTHING, Found, Put, SecondKey, SecondLevel, SecondLevelError, TagPurge};

/// All keys are on one node of a cluster, since scripts use the set of purges with each.
const PURGES: &str = "{rialto:cache}:purges";
/// Bytes that stand for a tag. Two that share them are purged together, which is one in 2^64 pairs.
const TAG: usize = 16;
/// What stands for the tag that everything has.
const ALL: &[u8] = b"*";
/// Purges that are remembered one by one; what is older than all of them counts as purged.
const RECORDS: usize = 100_000;

/// What is stored under the first key, unless it was purged, and the number of the last purge. The
/// second key is the set of purges, in which `#` has that number. Numbers are microseconds of the
/// server's clock, or one more than the last where that has not moved on.
const GET: &str = r"
local last = redis.call('ZSCORE', KEYS[2], '#')
if not last then
    local time = redis.call('TIME')
    last = string.format('%.0f', time[1] * 1000000 + time[2])
    redis.call('ZADD', KEYS[2], last, '#', last, '*')
    redis.call('DEL', KEYS[1])
    return {false, last}
end
local entry = redis.call('HMGET', KEYS[1], 'value', 'tags', 'outlived')
if not entry[1] then return {false, last} end
if entry[3] ~= last then
    local outlived = tonumber(entry[3])
    local all = redis.call('ZSCORE', KEYS[2], '*')
    local purged = not all or tonumber(all) > outlived
    for at = 1, #entry[2], 16 do
        local number = redis.call('ZSCORE', KEYS[2], string.sub(entry[2], at, at + 15))
        purged = purged or (number and tonumber(number) > outlived)
    end
    if purged then
        redis.call('DEL', KEYS[1])
        return {false, last}
    end
    redis.call('HSET', KEYS[1], 'outlived', last)
end
return {entry[1], last}
";

/// Stores a value (value, tags, the purges it has outlived, milliseconds) unless it was purged since.
const PUT: &str = r"
local outlived = tonumber(ARGV[3])
local all = redis.call('ZSCORE', KEYS[2], '*')
if not all or tonumber(all) > outlived then return 0 end
for at = 1, #ARGV[2], 16 do
    local number = redis.call('ZSCORE', KEYS[2], string.sub(ARGV[2], at, at + 15))
    if number and tonumber(number) > outlived then return 0 end
end
redis.call('HSET', KEYS[1], 'value', ARGV[1], 'tags', ARGV[2], 'outlived', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
";

/// Purges tags; the first arguments are how many purges are remembered, where purges are announced,
/// and what to announce, if anything. The oldest make room.
const PURGE: &str = r"
local time = redis.call('TIME')
local number = time[1] * 1000000 + time[2]
local last = redis.call('ZSCORE', KEYS[1], '#')
if last and tonumber(last) >= number then number = tonumber(last) + 1 end
number = string.format('%.0f', number)
if not last then redis.call('ZADD', KEYS[1], number, '*') end
for i = 4, #ARGV do
    if ARGV[i] == '*' then redis.call('DEL', KEYS[1]) end
    redis.call('ZADD', KEYS[1], number, ARGV[i])
end
redis.call('ZADD', KEYS[1], number, '#')
local excess = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[1])
if excess > 0 then
    local newest = redis.call('ZRANGE', KEYS[1], excess - 1, excess - 1, 'WITHSCORES')
    redis.call('ZREMRANGEBYRANK', KEYS[1], 0, excess - 1)
    redis.call('ZADD', KEYS[1], 'GT', newest[2], '*')
end
if ARGV[3] ~= '' then redis.call('PUBLISH', ARGV[2], ARGV[3]) end
return number
";

/// What instances of the gateway share at `url`, which may take `timeout` to answer. Announces
/// purges as the instance of this `name`.
pub(crate) fn shared_by(
    url: &CacheUrl,
    timeout: Duration,
    name: &str,
    metrics: &Metrics,
) -> Option<Arc<dyn SecondLevel>> {
    let CacheUrl::Redis(url) = url else {
        return None;
    };
    let settings = RedisSettings {
        timeout,
        ..RedisSettings::new(url.clone())
    };
    let redis = Redis::new(&settings, metrics.redis("gateway-cache"));
    let channel = url.channel(CHANNEL);
    Some(Arc::new(RedisLevel::new(redis, channel, name)))
}

/// Redis behind the cache of each instance.
#[derive(Debug)]
pub(crate) struct RedisLevel {
    redis: Redis,
    get: Script,
    put: Script,
    purge: Script,
    records: usize,
    /// Where purges are announced, and as which instance.
    channel: String,
    name: String,
}

impl RedisLevel {
    fn new(redis: Redis, channel: String, name: &str) -> Self {
        Self {
            redis,
            get: Script::new(GET),
            put: Script::new(PUT),
            purge: Script::new(PURGE),
            records: RECORDS,
            channel,
            name: name.to_owned(),
        }
    }
}

impl SecondLevel for RedisLevel {
    fn get<'a>(&'a self, key: &'a SecondKey) -> BoxFuture<'a, Result<Found, SecondLevelError>> {
        async move {
            let key = name(key);
            let fill = |command: &mut Cmd| {
                command.arg(&key).arg(PURGES);
            };
            let answer = self.redis.script(&self.get, 2, fill).await;
            let (value, purges): (Option<Vec<u8>>, u64) = answer.map_err(failed)?;
            Ok(Found {
                value: value.map(Bytes::from),
                purges,
            })
        }
        .boxed()
    }

    fn put(&self, put: Put) -> BoxFuture<'_, Result<(), SecondLevelError>> {
        async move {
            let key = name(&put.key);
            // Everything has it, so it is not kept with each.
            let tags = put.tags.iter().filter(|tag| *tag != EVERYTHING);
            let tags: Vec<u8> = tags.flat_map(|tag| short(tag)).collect();
            let keep = u64::try_from(put.keep.as_millis()).unwrap_or(u64::MAX >> 16);
            let fill = |command: &mut Cmd| {
                command.arg(&key).arg(PURGES);
                command.arg(&put.value[..]).arg(&tags[..]);
                command.arg(put.purges).arg(keep.max(1));
            };
            let stored = self.redis.script::<u8>(&self.put, 2, fill).await;
            stored.map(drop).map_err(failed)
        }
        .boxed()
    }

    fn purge<'a>(&'a self, purge: &'a TagPurge) -> BoxFuture<'a, Result<(), SecondLevelError>> {
        async move {
            let announcement = Announcement::of(purge, &self.name).unwrap_or_default();
            let fill = |command: &mut Cmd| {
                command.arg(PURGES).arg(self.records);
                command.arg(&self.channel).arg(&announcement);
                for tag in &purge.tags {
                    match tag.as_str() {
                        EVERYTHING => command.arg(ALL),
                        tag => command.arg(&short(tag)[..]),
                    };
                }
            };
            let purged = self.redis.script::<u64>(&self.purge, 1, fill).await;
            purged.map(drop).map_err(failed)
        }
        .boxed()
    }
}

/// The key of a value. The part in braces is that of [`PURGES`].
fn name(key: &SecondKey) -> Vec<u8> {
    [b"{rialto:cache}:", &key[..]].concat()
}

fn short(tag: &str) -> [u8; TAG] {
    let mut short = [0; TAG];
    short.copy_from_slice(&digest(&SHA256, tag.as_bytes()).as_ref()[..TAG]);
    short
}

fn failed(away: Away) -> SecondLevelError {
    SecondLevelError(Box::new(away))
}

#[cfg(test)]
mod tests;
