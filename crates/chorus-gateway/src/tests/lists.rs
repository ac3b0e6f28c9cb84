//! `GET /v1/projects`: order, pages and cursors.

use std::time::Duration;

use serde_json::Value;

use super::fixture::Fixture;

fn ids(list: &Value) -> Vec<String> {
    let projects = list["projects"].as_array().expect("projects");
    let ids = projects.iter().map(|project| project["id"].as_str());
    ids.map(|id| id.expect("an id").to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn pages_together_are_all_projects_newest_first() {
    let fixture = Fixture::open();
    let mut newest_first = Vec::new();
    for at in 0..5 {
        newest_first.insert(0, fixture.project("home").await.to_string());
        fixture.project("elsewhere").await;
        // Two of them were accepted in the same millisecond.
        if at != 2 {
            tokio::time::advance(Duration::from_millis(1)).await;
        }
    }
    let gateway = fixture.gateway();
    let mut found = Vec::new();
    let mut lengths = Vec::new();
    let mut path = "/v1/projects?limit=2".to_owned();
    loop {
        let page = gateway.get(&path).await.expect(200).json();
        let page_ids = ids(&page);
        lengths.push(page_ids.len());
        found.extend(page_ids);
        let Some(cursor) = page["next_cursor"].as_str() else {
            assert_eq!(page["next_cursor"], Value::Null);
            break;
        };
        path = format!("/v1/projects?limit=2&cursor={cursor}");
    }
    assert_eq!(lengths, [2, 2, 1]);
    assert_eq!(found, newest_first);
}

#[tokio::test(start_paused = true)]
async fn a_full_last_page_has_no_cursor() {
    let fixture = Fixture::open();
    for _ in 0..2 {
        fixture.project("home").await;
    }
    let page = fixture.gateway().get("/v1/projects?limit=2").await.json();
    assert_eq!(ids(&page).len(), 2);
    assert_eq!(page["next_cursor"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_row_shows_state_end_and_cost() {
    let fixture = Fixture::open();
    let id = fixture.project("home").await;
    let gateway = fixture.gateway();
    let row = gateway.get("/v1/projects").await.json()["projects"][0].take();
    assert_eq!(row["id"], id.to_string());
    assert_eq!(row["state"], "submitted");
    assert_eq!(row["terminal"], false);
    assert_eq!(row["spent_usd"], 0.0);
    let deliverable = fixture.deliverable(&[]).await;
    fixture.finish(id, deliverable).await;
    let row = gateway.get("/v1/projects").await.json()["projects"][0].take();
    assert_eq!(
        (&row["state"], &row["terminal"]),
        (&"done".into(), &true.into())
    );
}

#[tokio::test(start_paused = true)]
async fn wrong_parameters_are_named() {
    let gateway = Fixture::open().gateway();
    let cases = [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=MS5wcmpfeA", "cursor"),
        ("page=2", "page"),
    ];
    for (query, field) in cases {
        let reply = gateway.get(&format!("/v1/projects?{query}")).await;
        let error = reply.expect_error(422, "invalid_field");
        assert_eq!(error["field"], field, "{query}");
    }
    for query in ["limit=1", "limit=100", ""] {
        gateway
            .get(&format!("/v1/projects?{query}"))
            .await
            .expect(200);
    }
}
