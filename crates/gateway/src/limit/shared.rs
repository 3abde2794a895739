//! Counters of all instances, in Redis.

use platform::redis::{Away, Cmd, Redis, Script};

use super::rule::{Ask, Rules};

/// What [`Local::take`](super::local::Local::take) does, by the clock of the server. The first
/// argument is the time, which production leaves empty; then come three for each key: what the
/// request uses up, what may be used up, and whether the rule only counts. Answers what was used
/// before. Keys expire when they have paid, which makes no difference to any decision.
const TAKE: &str = r"
local now = tonumber(ARGV[1])
if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end
local values = redis.call('MGET', unpack(KEYS))
local used, refused = {}, false
for i = 1, #KEYS do
    local charge, capacity = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
    local paid_at = tonumber(values[i] or 0) or 0
    used[i] = math.min(math.max(paid_at - now, 0), capacity)
    if used[i] + charge > capacity and ARGV[3 * i + 1] == '0' then
        refused = true
    end
end
if refused then
    return used
end
for i = 1, #KEYS do
    local charge, capacity = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
    local ahead = used[i] + charge
    if charge > 0 and ahead <= capacity then
        local expiry = math.ceil(ahead / 1000) + 1
        if ARGV[1] ~= '' then expiry = 60000 end
        redis.call('SET', KEYS[i], string.format('%.0f', now + ahead), 'PX', expiry)
    end
end
return used
";

pub(crate) struct Shared {
    redis: Redis,
    take: Script,
}

impl Shared {
    pub(crate) fn new(redis: Redis) -> Self {
        Self {
            redis,
            take: Script::new(TAKE),
        }
    }

    #[cfg(test)]
    pub(crate) fn redis(&self) -> &Redis {
        &self.redis
    }

    /// Takes from all rules, or from none if one of them refuses, in one round trip. Fills in what
    /// was used before. `now` is for tests.
    pub(crate) async fn take(
        &self,
        rules: &Rules,
        asks: &mut [Ask],
        now: Option<i64>,
    ) -> Result<(), Away> {
        let fill = |command: &mut Cmd| {
            for ask in &*asks {
                command.arg(key(&rules.get(ask).name, ask.key));
            }
            match now {
                Some(now) => command.arg(now),
                None => command.arg(""),
            };
            for ask in &*asks {
                command.arg(ask.charge).arg(ask.quota.capacity());
                command.arg(u8::from(ask.shadow));
            }
        };
        let used: Vec<i64> = self.redis.script(&self.take, asks.len(), fill).await?;
        for (ask, used) in asks.iter_mut().zip(used) {
            ask.used = used;
        }
        Ok(())
    }
}

/// The part in braces decides on which node of a cluster a key lies: all on one, since a script
/// reaches one, and any rules can meet in a request.
fn key(rule: &str, key: u128) -> String {
    format!("{{rialto:limit}}:{rule}:{key:032x}")
}
