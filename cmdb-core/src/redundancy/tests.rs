//! What is proposed, how sure it is, and that nothing but the set of uses decides it.

use arbtest::arbitrary::{Result, Unstructured};

use super::*;

fn server(item: u64, product: &str, port: i64, host: &str) -> Server {
    Server {
        item: ItemId(item),
        class: "database_instance".to_owned(),
        protocol: "tcp".to_owned(),
        port,
        product: product.to_owned(),
        host: host.to_owned(),
        address: None,
        clusters: BTreeMap::new(),
        replicas: BTreeSet::new(),
    }
}

fn used(server: Server) -> Use {
    Use { kind: "depends_on".to_owned(), provider: ItemId(server.item.0 + 100), server }
}

fn at(item: u64, port: i64, address: &str) -> Use {
    let class = "endpoint".to_owned();
    let address = Some(address.parse().expect("an address"));
    used(Server { class, address, ..server(item, "", port, "") })
}

fn lines(uses: &[Use]) -> Vec<String> {
    let line = |proposal: Proposal| {
        let members: Vec<String> = proposal.members.iter().map(|(_, item)| item.to_string()).collect();
        format!("{} [{}] {}: {}", proposal.group, members.join(" "), proposal.confidence, proposal.evidence)
    };
    propose(uses).into_iter().map(line).collect()
}

#[test]
fn the_same_product_and_port_on_two_hosts_make_a_group() {
    let pg = |item, host: &str| used(server(item, "postgresql", 5432, host));
    let said = "postgresql:5432 [@101 @102]";
    let one = "one client uses postgresql on port 5432 of 2 hosts";
    let mut cluster = [server(1, "postgresql", 5432, "oak"), server(2, "postgresql", 5432, "elm")];
    for server in &mut cluster {
        server.clusters.insert(ItemId(9), "main".to_owned());
    }
    let mut replica = [server(1, "postgresql", 5432, "oak"), server(2, "postgresql", 5432, "elm")];
    replica[1].replicas.insert(ItemId(1));
    let cases: [(Vec<Use>, Vec<String>); 11] = [
        (vec![pg(1, "oak"), pg(2, "elm")], vec![format!("{said} 0.6: {one}")]),
        (
            vec![pg(1, "db1"), pg(2, "DB2")],
            vec![format!("{said} 0.7: {one}; the hosts' names differ in a number only")],
        ),
        (
            cluster.into_iter().map(used).collect(),
            vec![format!("{said} 0.9: {one}; all are members of main")],
        ),
        (
            replica.into_iter().map(used).collect(),
            vec![format!("{said} 0.9: {one}; they replicate to one another")],
        ),
        // One host, an unknown host, another port, another product, no port: nothing to fall back on, or not known.
        (vec![pg(1, "oak"), pg(2, "oak")], vec![]),
        (vec![pg(1, "oak"), pg(2, "")], vec![]),
        (vec![pg(1, "oak"), used(server(2, "postgresql", 5433, "elm"))], vec![]),
        (vec![pg(1, "oak"), used(server(2, "mysql", 5432, "elm"))], vec![]),
        (vec![used(server(1, "nginx", 0, "a")), used(server(2, "nginx", 0, "b"))], vec![]),
        // Servers that are only seen from outside: those of one network, and with little confidence.
        (
            vec![at(1, 9042, "10.0.0.5"), at(2, 9042, "10.0.0.6"), at(3, 9042, "10.0.1.7")],
            vec![
                "tcp/9042 in 10.0.0.0/24 [@101 @102] 0.3: one client uses port 9042 of 2 hosts in \
                 one network; what listens there is not known"
                    .to_owned(),
            ],
        ),
        (vec![at(1, 443, "10.0.0.5"), at(2, 443, "2001:db8::6")], vec![]),
    ];
    for (uses, expected) in cases {
        assert_eq!(lines(&uses), expected);
    }
}

#[test]
fn neither_order_nor_repetition_changes_what_is_proposed() {
    fn any(u: &mut Unstructured<'_>) -> Result<Use> {
        let product = *u.choose(&["", "redis", "nginx"])?;
        let mut one = server(u.int_in_range(1..=6)?, product, u.int_in_range(0..=2)?, "");
        one.host = (*u.choose(&["", "a1", "a2", "b"])?).to_owned();
        if u.arbitrary()? {
            one.address =
                Some(std::net::Ipv4Addr::new(10, 0, u.int_in_range(0..=1)?, u.int_in_range(1..=3)?).into());
        }
        if u.arbitrary()? {
            one.replicas.insert(ItemId(u.int_in_range(1..=6)?));
        }
        Ok(used(one))
    }
    arbtest::arbtest(|u| {
        let mut uses = Vec::new();
        for _ in 0..u.int_in_range(0..=12)? {
            uses.push(any(u)?);
        }
        let expected = propose(&uses);
        for proposal in &expected {
            assert!(proposal.members.len() >= 2 && (0.0..=1.0).contains(&proposal.confidence));
        }
        uses.reverse();
        uses.extend(uses.clone());
        assert_eq!(propose(&uses), expected);
        Ok(())
    })
    .budget_ms(1_000);
}
