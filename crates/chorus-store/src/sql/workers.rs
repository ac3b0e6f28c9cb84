//! Announcements of workers, and the deliveries that take their slots.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chorus_core::id::{Holder, Pool};
use chorus_core::port::workers::{AnnouncedWorker, TakenSlots, WorkerSlots};
use chorus_core::port::{StoreError, Workers};
use chorus_core::time::Millis;

use super::Store;
use super::cells::Cells;
use super::fault::Fault;
use super::tx::{Operation, Outcome, Tx};

#[async_trait]
impl Workers for Store {
    async fn announce(&self, worker: WorkerSlots, lasts: Millis) -> Result<(), StoreError> {
        self.execute(Announce { worker, lasts }).await
    }

    async fn announced(&self) -> Result<Vec<AnnouncedWorker>, StoreError> {
        let statement = sqlx::query(
            "SELECT * FROM worker_slots WHERE until > (SELECT now_ms FROM db_clock) ORDER BY boot, pool",
        );
        let rows = self.read(statement).await?;
        let announced = rows.iter().map(|row| {
            let cells = Cells::new("worker_slots", "boot", row);
            let worker = WorkerSlots {
                boot: cells.parsed("boot")?,
                pool: Pool::new(cells.text("pool")?),
                slots: cells.count("slots")?,
            };
            let until = cells.time("until")?;
            Ok(AnnouncedWorker { worker, until })
        });
        Ok(announced.collect::<Result<_, Fault>>()?)
    }

    async fn taken_slots(&self) -> Result<Vec<TakenSlots>, StoreError> {
        let statement = sqlx::query(
            "SELECT a.id, a.holder, d.pool FROM attempts a JOIN deliveries d ON d.attempt = a.id AND d.epoch = a.epoch \
             WHERE a.state IN ('dispatched', 'running')",
        );
        let mut taken: BTreeMap<(Pool, Option<String>), u32> = BTreeMap::new();
        for row in &self.read(statement).await? {
            let cells = Cells::new("attempts", "id", row);
            let holder = cells.text_or_none("holder")?.map(Holder::new);
            let boot = holder.as_ref().map(|holder| holder.process().to_owned());
            let pool = Pool::new(cells.text("pool")?);
            *taken.entry((pool, boot)).or_default() += 1;
        }
        let slots = taken
            .into_iter()
            .map(|((pool, boot), deliveries)| TakenSlots {
                pool,
                boot,
                deliveries,
            });
        Ok(slots.collect())
    }
}

struct Announce {
    worker: WorkerSlots,
    lasts: Millis,
}

#[async_trait]
impl Operation for Announce {
    type Output = ();

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<()>, Fault> {
        let WorkerSlots { boot, pool, slots } = &self.worker;
        let ended = sqlx::query(
            "DELETE FROM worker_slots WHERE until <= $1 OR (boot = $2 AND pool = $3 AND $4 = 0)",
        );
        let ended = ended
            .bind(tx.now.0)
            .bind(boot.to_string())
            .bind(pool.as_str().to_owned())
            .bind(i64::from(*slots));
        tx.change(ended).await?;
        if *slots > 0 {
            let live = sqlx::query(
                "INSERT INTO worker_slots (boot, pool, slots, until) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (boot, pool) DO UPDATE SET slots = excluded.slots, until = excluded.until",
            );
            let live = live
                .bind(boot.to_string())
                .bind(pool.as_str().to_owned())
                .bind(i64::from(*slots))
                .bind((tx.now + self.lasts).0);
            tx.change(live).await?;
        }
        Ok(Outcome::Commit(()))
    }
}
