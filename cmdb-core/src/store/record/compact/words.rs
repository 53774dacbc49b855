//! The words that names are usually made of, by number.
//!
//! Invariant: a word keeps its number for good; new ones go to the end. What is no word here is spelt out, so a schema
//! of the user's own works without this list.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

/// The first 32 take one byte, the others two.
const WORDS: [&str; 227] = [
    "import",
    "by hand",
    "depends_on",
    "runs_on",
    "connects_to",
    "installed_on",
    "contains",
    "hosted_on",
    "member_of",
    "description",
    "host_name",
    "serial_number",
    "server",
    "application",
    "package",
    "operating_system",
    "software",
    "name",
    "version",
    "packages",
    "purl",
    "endpoint",
    "network_interface",
    "ip_address",
    "unit",
    "uuid",
    "machine_id",
    "address",
    "size_bytes",
    "kind",
    "os",
    "machine",
    "address_text",
    "addresses",
    "affects",
    "agreement",
    "application_server",
    "architecture",
    "arguments",
    "arguments_digest",
    "asset_tag",
    "availability_percent",
    "binding",
    "bios.version",
    "board.serial_number",
    "boot_at",
    "business_application",
    "business_criticality",
    "business_service",
    "cache",
    "capacity_watts",
    "caused_by",
    "certificate",
    "change",
    "chassis",
    "closed_at",
    "cloud_region",
    "cluster",
    "computer",
    "configuration_item",
    "configuration_path",
    "consumes",
    "container",
    "container_id",
    "container_labels",
    "container_runtime",
    "contract",
    "cooling",
    "country",
    "cpu.cores",
    "cpu.model",
    "cpu.sockets",
    "cpu.threads",
    "data_path",
    "database",
    "database_instance",
    "database_protected",
    "device",
    "directory_server",
    "disk",
    "document",
    "domain",
    "email",
    "email: no email",
    "enabled",
    "ends_at",
    "entry_points",
    "environment",
    "executable",
    "external_service",
    "family",
    "file_server",
    "file_system",
    "fingerprint",
    "fingerprint: no fingerprint",
    "firewall",
    "firmware",
    "fqdn",
    "fqdn: no fqdn",
    "governed_by",
    "hardware",
    "host_name: no host_name",
    "hypervisor",
    "image",
    "incident",
    "init",
    "instance",
    "interface",
    "issuer",
    "item",
    "kernel.name",
    "kernel.release",
    "knowledge_article",
    "labels",
    "licence",
    "load_balancer",
    "load_balancer_device",
    "located_in",
    "location",
    "mac_address",
    "machine_id: no machine_id",
    "mail_server",
    "managed_by",
    "manufacturer",
    "memory_bytes",
    "message_broker",
    "message_queue",
    "model",
    "monitoring",
    "mount_point",
    "mtu",
    "name_server",
    "names",
    "namespace",
    "network",
    "network_device",
    "number",
    "opened_at",
    "orchestrator",
    "organisation",
    "os.id",
    "os.name",
    "os.title",
    "os.version",
    "owned_by",
    "owner",
    "party",
    "person",
    "phone",
    "planned_end",
    "planned_start",
    "port",
    "ports",
    "power",
    "power_distribution_unit",
    "power_feed",
    "power_supply",
    "powered_by",
    "prefix",
    "prefix_length",
    "priority",
    "problem",
    "product",
    "protected_by",
    "protocol",
    "provided_by",
    "proxy",
    "published_at",
    "purl: no purl",
    "queue",
    "rack",
    "raid_level",
    "redundancy",
    "remote_access",
    "replicates_to",
    "role",
    "rotational",
    "router",
    "runtime",
    "scenario",
    "scope",
    "search_engine",
    "seats",
    "serial_number: no serial_number",
    "service",
    "service_connected",
    "service_hours",
    "service_instance",
    "service_offering",
    "service_request",
    "service_staffed",
    "site",
    "sla",
    "sockets",
    "sockets: no sockets",
    "speed_bits_per_s",
    "started_at",
    "starts_at",
    "state",
    "storage",
    "storage_array",
    "stored_on",
    "subject",
    "support_group",
    "supported_by",
    "switch",
    "system_service",
    "system_unit",
    "team",
    "technology_management_service",
    "time_series_database",
    "type",
    "units",
    "up",
    "url",
    "user",
    "uuid: no uuid",
    "valid_from",
    "valid_until",
    "virtual_machine",
    "virtualized_by",
    "vlan",
    "volume",
    "web_server",
    "work_item",
    "disks",
    "filesystems",
];

/// Words that keys of rows are made with. A key must be written the same way for good, so this is the number of words there
/// were when that began.
pub(super) const IN_KEYS: u64 = 227;

/// The number of a word.
pub(super) fn number_of(text: &str) -> Option<u64> {
    static NUMBERS: OnceLock<FxHashMap<&str, u64>> = OnceLock::new();
    let numbers = NUMBERS.get_or_init(|| WORDS.into_iter().zip(0..).collect());
    numbers.get(text).copied()
}

/// The word of a number.
pub(super) fn word(number: u64) -> Option<&'static str> {
    WORDS.get(usize::try_from(number).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::schema::Schema;

    #[test]
    fn each_word_has_one_number() {
        for (text, number) in WORDS.into_iter().zip(0..) {
            assert_eq!((number_of(text), word(number)), (Some(number), Some(text)));
        }
        assert_eq!(word(WORDS.len() as u64), None);
        assert_eq!(number_of("a word of somebody's own"), None);
    }

    /// The number is on disk.
    #[test]
    fn words_stay_where_they_are() {
        let digest = blake3::hash(WORDS[..227].join("\n").as_bytes());
        assert_eq!(digest.to_hex()[..16], *"2330827bb33a0c96");
    }

    #[test]
    fn the_classes_and_types_that_are_built_in_are_words() {
        let schema = Schema::built_in();
        let classes = schema.classes().map(|class| class.name.as_str());
        let types = schema.relationship_types().map(|kind| kind.name.as_str());
        for name in classes.chain(types) {
            assert!(number_of(name).is_some(), "{name} goes to the end of the list");
        }
    }
}
