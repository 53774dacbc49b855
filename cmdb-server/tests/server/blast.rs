//! How many items each one could take with it: listed, weighed, and as an order of items.

use cmdb_proto::v1;
use tonic::Code;

use crate::harness::{PATIENCE, Server, item, relates, said};

#[tokio::test]
async fn the_blast_radius_says_which_revision_it_is_exact_for_and_follows() {
    let server = Server::start().await;
    server.shop().await;
    let ask = |as_of: &str| v1::BlastRadiusRequest { top: 2, as_of: as_of.to_owned(), weighted: false };
    let sizes = |answer: &v1::BlastRadiusResponse| -> Vec<(String, u64)> {
        let named = answer.items.iter();
        named.map(|blast| (blast.item.as_ref().unwrap().name.clone(), blast.items)).collect()
    };
    let first = server.blast_radius(ask("")).await.unwrap();
    assert_eq!(sizes(&first), [("Orders".to_owned(), 3), ("Web 1".to_owned(), 1)]);
    assert_eq!((first.revision, first.head_revision, first.refreshing, first.total), (1, 1, false, 3));
    let mut balancer = item("lb-2", "web_server", "Second");
    balancer.relationships = vec![relates("depends_on", "shop:web-1", "")];
    server.apply("more", vec![balancer]).await;
    // Nobody waits for the new figures; they come.
    let newest = async {
        loop {
            let answer = server.blast_radius(ask("")).await.unwrap();
            assert_eq!((answer.head_revision, answer.refreshing), (2, answer.revision == 1));
            if !answer.refreshing {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    let newest = tokio::time::timeout(PATIENCE, newest).await.expect("they are made anew");
    assert_eq!(sizes(&newest), [("Orders".to_owned(), 4), ("Web 1".to_owned(), 2)]);
    let then = server.blast_radius(ask("1")).await.unwrap();
    assert_eq!((sizes(&then), then.revision), (sizes(&first), 1));
    let many = v1::BlastRadiusRequest { top: 100_001, ..ask("") };
    assert_eq!(server.blast_radius(many).await.unwrap_err().code(), Code::InvalidArgument);
}

/// A service; of a criticality of 0 nothing is said.
fn service(key: &str, criticality: i64, needs: &str) -> v1::Claim {
    let mut claim = item(key, "business_service", key);
    claim.relationships = vec![relates("depends_on", needs, "")];
    if criticality != 0 {
        let value = v1::Value { kind: Some(v1::value::Kind::Integer(criticality)) };
        claim.item.as_mut().unwrap().attributes.insert("business_criticality".to_owned(), value);
    }
    claim
}

#[tokio::test]
async fn what_is_more_critical_weighs_more_and_what_is_assumed_is_said() {
    let server = Server::start().await;
    server.shop().await;
    server.apply("services", vec![service("buy", 2, "shop:lb"), service("wiki", 7, "shop:web-1")]).await;
    let ask = |as_of: &str| v1::BlastRadiusRequest {
        as_of: as_of.to_owned(),
        weighted: true,
        ..Default::default()
    };
    let told = |answer: &v1::BlastRadiusResponse| -> Vec<(String, u64, u64, Vec<u64>)> {
        let told = answer.items.iter().map(|blast| {
            let name = blast.item.as_ref().unwrap().name.clone();
            (name, blast.weight, blast.items, blast.by_criticality.clone())
        });
        told.collect()
    };
    let answer = server.blast_radius(ask("")).await.unwrap();
    // Nothing is known of the wiki, so it may be the most critical, and what it needs.
    let row = |name: &str, weight, items, levels: [u64; 4]| (name.to_owned(), weight, items, levels.to_vec());
    let expected = [
        row("Orders", 17, 5, [2, 3, 0, 0]),
        row("Web 1", 10, 3, [1, 2, 0, 0]),
        row("Web 2", 6, 2, [0, 2, 0, 0]),
        row("Balancer", 3, 1, [0, 1, 0, 0]),
    ];
    assert_eq!(told(&answer), expected);
    let basis = answer.criticality.unwrap();
    assert_eq!((basis.declared, basis.inherited, basis.assumed), (1, 2, 3));
    assert_eq!((basis.services[0].name.as_str(), basis.services_total, basis.unusable), ("wiki", 1, 1));
    assert_eq!((answer.total, answer.revision, answer.refreshing), (4, 2, false));

    server.apply("services", vec![service("buy", 2, "shop:lb"), service("wiki", 4, "shop:web-1")]).await;
    // Of a past moment as it was then; of a moment that is asked for nobody is told earlier figures.
    let then = server.blast_radius(ask("2")).await.unwrap();
    assert_eq!((told(&then), then.revision), (expected.to_vec(), 2));
    let now = server.blast_radius(ask("3")).await.unwrap();
    assert_eq!(told(&now)[0], row("Orders", 13, 5, [0, 4, 0, 1]));
    assert_eq!(now.criticality.unwrap().assumed, 0);
    let plain = v1::BlastRadiusRequest { weighted: false, ..ask("3") };
    let plain = server.blast_radius(plain).await.unwrap();
    assert!(plain.criticality.is_none() && plain.items[0].by_criticality.is_empty());
}

#[tokio::test]
async fn items_are_listed_by_what_they_could_take_with_them() {
    let server = Server::start().await;
    server.shop().await;
    let ask = |sort: &str| v1::ListItemsRequest { sort: sort.to_owned(), ..Default::default() };
    let list = async |request: v1::ListItemsRequest| server.items().list(request).await.unwrap().into_inner();
    let told = |page: &v1::ListItemsResponse| -> Vec<(String, Option<u64>)> {
        page.items.iter().map(|item| (item.name.clone(), item.blast_radius)).collect()
    };
    let row = |name: &str, figure: u64| (name.to_owned(), Some(figure));
    let largest = [row("Orders", 3), row("Web 1", 1), row("Web 2", 1), row("Balancer", 0)];
    let page = list(ask("-blast_radius")).await;
    assert_eq!((told(&page), page.figures_revision, page.without_figure), (largest.to_vec(), 1, 0));
    let mut smallest: Vec<_> = largest.to_vec();
    smallest.reverse();
    // Those of one figure go by id, whatever the direction.
    smallest.swap(1, 2);
    assert_eq!(told(&list(ask("blast_radius")).await), smallest);

    let filtered = v1::ListItemsRequest { r#where: "name contains web".to_owned(), ..ask("-blast_radius") };
    let wrong = server.items().list(filtered).await.unwrap_err();
    assert_eq!(
        said(&wrong).1,
        "FILTER_INVALID",
        "of an order by a figure the filter is read as of any other"
    );
    let filtered =
        v1::ListItemsRequest { r#where: "name ~ \"web\"".to_owned(), page_size: 1, ..ask("-blast_radius") };
    let first = list(filtered.clone()).await;
    assert_eq!((told(&first), first.total), (vec![row("Web 1", 1)], 2));
    let second = list(v1::ListItemsRequest { page_token: first.next_page_token, ..filtered }).await;
    assert_eq!((told(&second), second.next_page_token.as_str()), (vec![row("Web 2", 1)], ""));
    assert_eq!(list(ask("name")).await.figures_revision, 0);

    // An item that came after the figures were made has none, comes last, and is counted.
    let mut newest = item("lb-2", "load_balancer", "Second");
    newest.relationships = vec![relates("depends_on", "shop:web-1", "")];
    server.apply("more", vec![newest]).await;
    let followed = async {
        loop {
            let page = list(ask("-blast_radius")).await;
            assert_eq!(page.revision, 2);
            if page.figures_revision == 2 {
                return page;
            }
            assert_eq!((page.items[4].name.as_str(), page.items[4].blast_radius), ("Second", None));
            assert_eq!((page.figures_revision, page.without_figure), (1, 1));
            tokio::task::yield_now().await;
        }
    };
    let page = tokio::time::timeout(PATIENCE, followed).await.expect("they are made anew");
    assert_eq!((told(&page)[0].clone(), page.without_figure), (row("Orders", 4), 0));
    let then = list(v1::ListItemsRequest { as_of: "1".to_owned(), ..ask("-blast_radius") }).await;
    assert_eq!((told(&then), then.figures_revision), (largest.to_vec(), 1));
}
