//! Everything goes out of one database and into another, and is what it was.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read, Write};

use mapae_application::ports::{HashContext, SecretHasher as _, Store as _};
use mapae_store_seaorm::scratch::ScratchDatabase;
use mapae_store_seaorm::{ImportError, LineFault, SeaOrmStore};
use mapae_testkit::fake::FakeSecretHasher;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Alias, Expr, Query};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, Statement, Value,
};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::server::{MARIADB, POSTGRES, scratch};
use crate::{settings, settings_of};

const KINDS: [&str; 3] = ["sqlite", "postgres", "mariadb"];
pub(crate) const AT: &str = "2026-11-21T00:00:00Z";
/// Tables of the schema's own, with nothing of the installation in them.
const NO_STATE: [&str; 2] = ["locks", "seaql_migrations"];
/// What stands in every text, and must not stand in an error.
const PLANTED: &str = "plan";

/// A database of a test's own, with this release's schema.
pub(crate) struct Home {
    pub(crate) name: &'static str,
    pub(crate) store: SeaOrmStore,
    pub(crate) url: String,
    _folder: Option<TempDir>,
    _scratch: Option<ScratchDatabase>,
}

impl Home {
    async fn file() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let url = settings(folder.path()).url;
        Self::open("sqlite", url, Some(folder), None).await
    }

    async fn server(name: &'static str, variable: &str) -> Option<Self> {
        let scratch = scratch(variable).await?;
        Some(Self::open(name, scratch.url(), None, Some(scratch)).await)
    }

    async fn open(
        name: &'static str,
        url: String,
        folder: Option<TempDir>,
        scratch: Option<ScratchDatabase>,
    ) -> Self {
        let store = SeaOrmStore::connect(&settings_of(url.clone())).await.expect("a database");
        store.migrate().await.expect("the schema");
        Self { name, store, url, _folder: folder, _scratch: scratch }
    }

    /// One of a kind, where this run has it.
    async fn of(kind: &str) -> Option<Self> {
        match kind {
            "postgres" => Self::server("postgres", POSTGRES).await,
            "mariadb" => Self::server("mariadb", MARIADB).await,
            _ => Some(Self::file().await),
        }
    }

    /// One of each kind that this run has.
    pub(crate) async fn of_each_kind() -> Vec<Self> {
        let mut homes = Vec::new();
        for kind in KINDS {
            homes.extend(Self::of(kind).await);
        }
        homes
    }

    async fn exported(&self) -> String {
        let mut output = Vec::new();
        let exported = self.store.export(&FakeSecretHasher::default(), AT, &mut output).await;
        exported.unwrap_or_else(|error| panic!("{}: {error:?}", self.name));
        String::from_utf8(output).expect("UTF-8")
    }

    async fn import(&self, file: &str) -> Result<u64, ImportError> {
        let mut input = file.as_bytes();
        let tally = self.store.import(&FakeSecretHasher::default(), &mut input, false).await?;
        Ok(tally.iter().map(|(_, rows)| rows).sum())
    }
}

pub(crate) async fn connection(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("a connection")
}

/// A column, as the schema has it.
struct Column {
    name: String,
    kind: String,
    may_be_nothing: bool,
    is_key: bool,
}

type Schema = BTreeMap<String, Vec<Column>>;

/// The schema, by the database's own words. It is the same on each.
async fn schema() -> Schema {
    let home = Home::file().await;
    let look = connection(&home.url).await;
    let sql = "SELECT m.name AS t, c.name AS c, c.type AS k, c.\"notnull\" AS n, c.pk AS p \
               FROM sqlite_master m JOIN pragma_table_info(m.name) c \
               WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'";
    let rows = look.query_all_raw(Statement::from_string(look.get_database_backend(), sql)).await;
    let mut schema = Schema::new();
    for row in rows.expect("the schema") {
        let text = |column: &str| row.try_get::<String>("", column).expect("a text");
        let number = |column: &str| row.try_get::<i64>("", column).expect("a number");
        let column = Column {
            name: text("c"),
            kind: text("k").to_lowercase(),
            may_be_nothing: number("n") == 0 && number("p") == 0,
            is_key: number("p") > 0,
        };
        schema.entry(text("t")).or_default().push(column);
    }
    schema.retain(|table, _| !NO_STATE.contains(&table.as_str()));
    schema
}

/// As long as it may be, of what databases treat differently, and with a blank at the end.
fn text(nth: u128, length: usize) -> String {
    let signs = ['가', '😀', '\u{301}', 'É', 'é', '"', '\\', '\'', '\n', '%', ' ', 'A', 'a'];
    let begin = format!("{nth}{PLANTED}");
    let signs = signs.iter().cycle().skip(usize::try_from(nth).expect("small"));
    begin.chars().chain(signs.copied()).take(length - 1).chain([' ']).collect()
}

impl Column {
    /// A value that fits, another one for each number; for an even one nothing where that fits.
    fn value(&self, nth: u128) -> Value {
        let length = self.kind.split(['(', ')']).nth(1).and_then(|length| length.parse().ok());
        let nothing = self.may_be_nothing && nth.is_multiple_of(2);
        let kind = self.kind.as_str();
        let signed = i64::try_from(nth).expect("small");
        if kind.contains("uuid") {
            return Value::Uuid((!nothing).then(|| Uuid::from_u128(nth | 0xfe << 120)));
        }
        if kind.contains("bool") {
            return Value::Bool((!nothing).then_some(nth % 4 == 1));
        }
        if kind.contains("int") {
            // Those of a key are counted on from.
            let extreme = if nth % 4 == 1 { i64::MAX - signed } else { i64::MIN + signed };
            return Value::BigInt((!nothing).then_some(if self.is_key { signed } else { extreme }));
        }
        if kind.contains("blob") || kind.contains("binary") {
            let is_hash = self.name.ends_with("hash") || self.name == "seed";
            let length = if is_hash { 32 } else { 300 };
            let bytes = (0..=u8::MAX).rev().cycle().skip(usize::try_from(nth).expect("small"));
            return Value::Bytes((!nothing).then(|| bytes.take(length).collect()));
        }
        assert!(kind.contains("char") || kind.contains("text"), "{} is of a new kind", self.name);
        Value::String((!nothing).then(|| text(nth, length.unwrap_or(700))))
    }
}

/// Puts rows of these numbers into a table.
async fn fill(url: &str, table: &str, columns: &[Column], numbers: &[u128]) {
    let look = connection(url).await;
    for numbers in numbers.chunks(100) {
        let mut insert = Query::insert();
        let names = columns.iter().map(|column| Alias::new(column.name.as_str()));
        insert.into_table(Alias::new(table)).columns(names);
        for nth in numbers {
            let values = columns.iter().map(|column| Expr::value(column.value(*nth)));
            insert.values_panic(values);
        }
        look.execute(&insert).await.unwrap_or_else(|error| panic!("{table}: {error}"));
    }
    look.close().await.expect("an end");
}

/// Rows in every table: those of one number belong together.
async fn fill_all(home: &Home, numbers: &[u128]) {
    let schema = schema().await;
    let (users, others): (Vec<_>, Vec<_>) =
        schema.iter().partition(|(table, _)| table.as_str() == "users");
    for (table, columns) in users.into_iter().chain(others) {
        fill(&home.url, table, columns, numbers).await;
    }
}

async fn filled(home: &Home) -> String {
    fill_all(home, &[1, 2, 3]).await;
    home.exported().await
}

/// The lines between the first and the last, in an order that no collation has a say in.
fn rows(file: &str) -> Vec<&str> {
    let lines: Vec<_> = file.lines().collect();
    let mut rows = lines[1..lines.len() - 1].to_vec();
    rows.sort_unstable();
    rows
}

fn parsed(line: &str) -> Json {
    serde_json::from_str(line).expect("JSON")
}

fn end(file: &str) -> Json {
    parsed(file.lines().last().expect("a line"))["end"].clone()
}

/// A file of these lines after the first, with an end that fits them.
fn sealed<'a>(header: &str, rows: impl IntoIterator<Item = &'a str>) -> String {
    let secrets = FakeSecretHasher::default();
    let mut sum = [0; 32];
    let mut file = String::new();
    let mut counts = serde_json::Map::new();
    let mut add = |line: &str| {
        sum = *secrets.hash(HashContext::Export, &[&sum, line.as_bytes()]).as_bytes();
        file.push_str(line);
        file.push('\n');
    };
    add(header);
    for line in rows {
        add(line);
        let table = parsed(line)["table"].as_str().expect("a table").to_owned();
        let count = counts.get(&table).and_then(Json::as_u64).unwrap_or_default();
        counts.insert(table, json!(count + 1));
    }
    let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    file + &json!({"end": {"rows": counts, "checksum": hex}}).to_string() + "\n"
}

/// A file with something done to its rows, and an end that fits them again.
fn changed(file: &str, change: impl FnOnce(&mut Vec<String>)) -> String {
    let lines: Vec<_> = file.lines().collect();
    let mut rows = lines[1..lines.len() - 1].iter().map(|line| (*line).to_owned()).collect();
    change(&mut rows);
    sealed(lines[0], rows.iter().map(String::as_str))
}

#[tokio::test]
async fn every_table_and_every_column_is_exported() {
    let home = Home::file().await;
    let file = filled(&home).await;
    let mut exported = BTreeMap::<String, BTreeSet<String>>::new();
    for line in rows(&file) {
        let line = parsed(line);
        let columns = line["row"].as_object().expect("a row").keys().cloned();
        let table = line["table"].as_str().expect("a table").to_owned();
        exported.entry(table).or_default().extend(columns);
    }
    let kept: BTreeMap<_, BTreeSet<_>> = schema()
        .await
        .into_iter()
        .map(|(table, columns)| (table, columns.into_iter().map(|column| column.name).collect()))
        .collect();
    assert_eq!(exported, kept, "what a migration adds belongs into the export");
    let counted = end(&file)["rows"].clone();
    assert!(kept.keys().all(|table| counted[table] == 3), "{counted}");
}

#[tokio::test]
async fn what_is_exported_from_any_database_is_the_same_in_any_other() {
    for from in Home::of_each_kind().await {
        let file = filled(&from).await;
        // A file goes into another file as well.
        for to in KINDS.into_iter().filter(|to| from.name != *to || *to == "sqlite") {
            let Some(to) = Home::of(to).await else { continue };
            let way = format!("{} to {}", from.name, to.name);
            let imported = to.import(&file).await.unwrap_or_else(|error| panic!("{way}: {error}"));
            assert_eq!(imported, u64::try_from(rows(&file).len()).expect("a number"), "{way}");
            let again = to.exported().await;
            assert_eq!(rows(&again), rows(&file), "{way}");
            assert_eq!(again.lines().next(), file.lines().next(), "{way}");
            assert_eq!(end(&again)["rows"], end(&file)["rows"], "{way}");
        }
    }
}

#[tokio::test]
async fn keys_that_a_database_counts_go_on_after_those_that_were_imported() {
    let file = filled(&Home::file().await).await;
    for home in Home::of_each_kind().await {
        home.import(&file).await.expect("an import");
        let look = connection(&home.url).await;
        let schema = schema().await;
        let columns: Vec<_> =
            schema["consents"].iter().filter(|column| column.name != "id").collect();
        let mut insert = Query::insert();
        insert
            .into_table(Alias::new("consents"))
            .columns(columns.iter().map(|column| Alias::new(column.name.as_str())))
            .values_panic(columns.iter().map(|column| Expr::value(column.value(1))));
        look.execute(&insert).await.unwrap_or_else(|error| panic!("{}: {error}", home.name));
        let newest = Statement::from_string(
            look.get_database_backend(),
            "SELECT MAX(id) AS newest FROM consents",
        );
        let newest = look.query_one_raw(newest).await.expect("an answer").expect("a row");
        assert!(newest.try_get::<i64>("", "newest").expect("a number") > 3, "{}", home.name);
        look.close().await.expect("an end");
    }
}

#[tokio::test]
async fn rows_of_many_batches_are_all_there() {
    let numbers: Vec<u128> = (1..=1_203).collect();
    let schema = schema().await;
    for home in Home::of_each_kind().await {
        for table in ["usernames", "inbox"] {
            fill(&home.url, table, &schema[table], &numbers).await;
        }
        let file = home.exported().await;
        assert_eq!(rows(&file).len(), 2_406, "{}", home.name);
        let other = Home::file().await;
        other.import(&file).await.expect("an import");
        assert_eq!(rows(&other.exported().await), rows(&file), "{}", home.name);
        // Whichever of a batch it is, the line is known.
        let doubled = changed(&file, |rows| rows.insert(1_100, rows[1_099].clone()));
        let twice = other_error(&Home::file().await, &doubled).await;
        assert_line(&twice, 1_102, LineFault::Twice);
    }
}

async fn other_error(home: &Home, file: &str) -> ImportError {
    match home.import(file).await {
        Err(error) => error,
        Ok(rows) => panic!("{rows} rows were taken"),
    }
}

fn assert_line(error: &ImportError, expected: u64, why: LineFault) {
    match error {
        ImportError::Line { line, fault } => assert_eq!((*line, *fault), (expected, why)),
        other => panic!("{other:?}"),
    }
}

/// What can be wrong with a line, and at which it is found.
fn wrong_lines(file: &str) -> Vec<(String, u64, LineFault)> {
    let is_of = |table: &str, line: &str| line.contains(&format!("\"table\":\"{table}\""));
    let first_of = |table: &str| {
        file.lines().position(|line| is_of(table, line)).expect("a row of every table")
    };
    // From the number of a line, counted from 0, to that of a row.
    let with = |line: usize, change: &dyn Fn(&mut Json)| {
        changed(file, |rows| {
            let mut row = parsed(&rows[line - 1]);
            change(&mut row);
            rows[line - 1] = row.to_string();
        })
    };
    let (users, sessions, keys) =
        (first_of("users"), first_of("sessions"), first_of("signing_keys"));
    let line = |nth: usize| u64::try_from(nth + 1).expect("a number");
    let mut others = file.lines().map(str::to_owned).collect::<Vec<_>>();
    others[sessions] = format!("{{\"table\":\"{PLANTED}");
    let nonsense = others.join("\n");
    vec![
        (nonsense, line(sessions), LineFault::NotALine),
        (with(users, &|row| row["more"] = json!(PLANTED)), line(users), LineFault::NotALine),
        (with(users, &|row| row["table"] = json!(PLANTED)), line(users), LineFault::UnknownTable),
        (
            with(users, &|row| drop(row["row"].as_object_mut().expect("a row").remove("locale"))),
            line(users),
            LineFault::Lacks("locale"),
        ),
        (
            with(users, &|row| row["row"]["admin"] = json!(PLANTED)),
            line(users),
            LineFault::UnknownColumn,
        ),
        (
            with(users, &|row| row["row"]["version"] = json!(PLANTED)),
            line(users),
            LineFault::WrongKind("version"),
        ),
        (
            with(sessions, &|row| row["row"]["seed"] = json!(PLANTED)),
            line(sessions),
            LineFault::WrongKind("seed"),
        ),
        (
            with(keys, &|row| row["row"]["sealed"] = Json::Null),
            line(keys),
            LineFault::WrongKind("sealed"),
        ),
        (
            changed(file, |rows| rows.insert(users, rows[users - 1].clone())),
            line(users + 1),
            LineFault::Twice,
        ),
        (
            with(sessions, &|row| row["row"]["user_id"] = json!(Uuid::from_u128(77).to_string())),
            line(sessions),
            LineFault::Orphan,
        ),
        (format!("{file}{{}}\n"), line(file.lines().count()), LineFault::AfterTheEnd),
    ]
}

/// An error and its causes.
fn shown(error: &ImportError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text} {error}");
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn a_wrong_line_is_named_by_its_number_and_leaves_nothing_behind() {
    let file = filled(&Home::file().await).await;
    for home in Home::of_each_kind().await {
        for (wrong, line, fault) in wrong_lines(&file) {
            let error = other_error(&home, &wrong).await;
            assert_line(&error, line, fault);
            assert!(!shown(&error).contains(PLANTED), "{error:?}");
        }
        if home.name != "sqlite" {
            // A file takes texts of any length.
            let long = changed(&file, |rows| {
                let mut row = parsed(&rows[0]);
                row["row"]["locale"] = json!(format!("{PLANTED} and on and on"));
                rows[0] = row.to_string();
            });
            let error = other_error(&home, &long).await;
            assert_line(&error, 2, LineFault::Refused);
            assert!(!shown(&error).contains(PLANTED), "{error:?}");
        }
        // Nothing is left of all that: the file goes into an empty database only.
        assert_eq!(rows(&home.exported().await), [""; 0]);
        home.import(&file).await.unwrap_or_else(|error| panic!("{}: {error}", home.name));
    }
}

/// SQLite takes the whole transaction back by itself where its disk is full or broken. What would be
/// written after that would each be a transaction of its own.
#[tokio::test]
async fn where_the_database_itself_takes_an_import_back_nothing_of_it_stays() {
    let file = filled(&Home::file().await).await;
    let home = Home::file().await;
    let look = connection(&home.url).await;
    let full = "CREATE TRIGGER disk_full BEFORE INSERT ON signing_keys \
                WHEN (SELECT COUNT(*) FROM users) > 0 \
                BEGIN SELECT RAISE(ROLLBACK, 'disk full'); END";
    look.execute_unprepared(full).await.expect("a trigger");
    let error = other_error(&home, &file).await;
    assert!(matches!(error, ImportError::Store(_)), "{error:?}");
    look.execute_unprepared("DROP TRIGGER disk_full").await.expect("room");
    look.close().await.expect("an end");
    assert_eq!(rows(&home.exported().await), [""; 0]);
    home.import(&file).await.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test]
async fn a_file_that_ends_early_or_was_altered_is_refused() {
    let file = filled(&Home::file().await).await;
    let home = Home::file().await;
    let lines: Vec<_> = file.lines().collect();
    for kept in 1..lines.len() {
        let error = other_error(&home, &lines[..kept].join("\n")).await;
        assert!(matches!(error, ImportError::Truncated(at) if at == kept as u64), "{error:?}");
    }
    let half = file.trim_end().len() - 30;
    let broken = other_error(&home, &file[..half]).await;
    assert!(matches!(broken, ImportError::Truncated(_)), "{broken:?}");
    // A row changed, taken away, put elsewhere; and counts that do not fit.
    let last = lines.len() as u64;
    let mut others = vec![file.replacen("\"status\":\"1", "\"status\":\"9", 1)];
    let mut without = lines.clone();
    without.remove(lines.len() - 2);
    others.push(without.join("\n"));
    let mut elsewhere = lines.clone();
    elsewhere.swap(1, 2);
    others.push(elsewhere.join("\n"));
    others.push(file.replacen("\"users\":3", "\"users\":4", 1));
    others.push(file.replacen("\"exported_at\":\"2026", "\"exported_at\":\"2027", 1));
    for other in others {
        assert_ne!(other.trim_end(), file.trim_end());
        let error = other_error(&home, &other).await;
        assert!(matches!(error, ImportError::Altered(at) if at >= last - 1), "{error:?}");
    }
    home.import(&file).await.expect("as it was");
}

#[tokio::test]
async fn a_file_of_something_else_of_another_release_or_another_secret_is_refused() {
    let file = filled(&Home::file().await).await;
    let home = Home::file().await;
    for other in ["", "\n", "id,email\n", "{\"format\":\"django\"}\n", "[1]\n", &file[..20]] {
        let error = other_error(&home, other).await;
        assert!(matches!(error, ImportError::NotAnExport), "{other}: {error:?}");
    }
    let of_schema = |name: &str| file.replacen("m20261121_000016_locks", name, 1);
    let newer = other_error(&home, &of_schema("m20990101_000001_later")).await;
    assert!(matches!(newer, ImportError::Newer), "{newer:?}");
    let older = other_error(&home, &of_schema("m20261121_000015_consents")).await;
    assert!(matches!(older, ImportError::Older), "{older:?}");
    let version = other_error(&home, &file.replacen("\"version\":1", "\"version\":2", 1)).await;
    assert!(matches!(version, ImportError::Version), "{version:?}");
    for error in [&newer, &older, &version] {
        assert!(error.to_string().contains("run the release that wrote it"), "{error}");
    }
    let others = FakeSecretHasher::new([9; 32]);
    let secret = home.store.import(&others, &mut file.as_bytes(), false).await;
    assert!(matches!(secret, Err(ImportError::Secret)), "{secret:?}");
    home.import(&file).await.expect("as it was");
}

#[tokio::test]
async fn nothing_is_imported_where_somebody_lives_or_the_schema_is_another() {
    let file = filled(&Home::file().await).await;
    let schema = schema().await;
    for home in Home::of_each_kind().await {
        // A service that has started once has made its keys.
        fill(&home.url, "signing_keys", &schema["signing_keys"], &[1]).await;
        let error = other_error(&home, &file).await;
        assert!(matches!(error, ImportError::NotEmpty("signing_keys")), "{error:?}");
        let look = connection(&home.url).await;
        look.execute_unprepared("DELETE FROM signing_keys").await.expect("an empty table");
        look.close().await.expect("an end");
        home.import(&file).await.expect("an import");
        let error = other_error(&home, &file).await;
        assert!(matches!(error, ImportError::NotEmpty("users")), "{error:?}");
    }
    let folder = TempDir::new().expect("a temporary folder");
    let bare = SeaOrmStore::connect(&settings(folder.path())).await.expect("a database");
    let secrets = FakeSecretHasher::default();
    let error = bare.import(&secrets, &mut file.as_bytes(), false).await;
    assert!(matches!(error, Err(ImportError::Schema(_))), "{error:?}");
    assert!(bare.export(&secrets, AT, &mut Vec::new()).await.is_err());
}

#[tokio::test]
async fn a_trial_finds_what_is_wrong_and_leaves_nothing_behind() {
    let file = filled(&Home::file().await).await;
    let doubled = changed(&file, |rows| rows.push(rows[rows.len() - 1].clone()));
    let secrets = FakeSecretHasher::default();
    for home in Home::of_each_kind().await {
        let tried = home.store.import(&secrets, &mut doubled.as_bytes(), true).await;
        assert!(matches!(tried, Err(ImportError::Line { .. })), "{tried:?}");
        let tried = home.store.import(&secrets, &mut file.as_bytes(), true).await;
        let rows: u64 = tried.expect("a trial").iter().map(|(_, rows)| rows).sum();
        assert_eq!(home.import(&file).await.expect("an import"), rows);
    }
}

/// Does something on a thread of its own, and waits for it.
fn meanwhile<T: Send>(something: impl AsyncFnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(something())
        });
        thread.join().expect("an end")
    })
}

/// Takes what is exported; with the first row, somebody writes to the database.
struct Meddled<'a> {
    home: &'a Home,
    output: Vec<u8>,
    is_done: bool,
}

impl Write for Meddled<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_done && bytes.starts_with(b"{\"table\"") {
            self.is_done = true;
            meanwhile(async || fill_all(self.home, &[4, 5]).await);
        }
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_is_written_during_an_export_is_not_in_it() {
    for home in Home::of_each_kind().await {
        let before = filled(&home).await;
        let mut meddled = Meddled { home: &home, output: Vec::new(), is_done: false };
        home.store.export(&FakeSecretHasher::default(), AT, &mut meddled).await.expect("an export");
        assert!(meddled.is_done);
        assert_eq!(String::from_utf8(meddled.output).expect("UTF-8"), before, "{}", home.name);
        assert_ne!(home.exported().await, before, "{}", home.name);
    }
}

/// Gives what is imported; in its midst, somebody begins to serve.
struct Interrupted<'a> {
    home: &'a Home,
    rest: &'a [u8],
    served: Option<bool>,
}

impl Read for Interrupted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let first = self.rest.starts_with(b"{\"format\"");
        if !first && self.served.is_none() {
            let mut settings = settings_of(self.home.url.clone());
            // Long enough to connect, and short enough to be waited for.
            settings.timeout = std::time::Duration::from_secs(2);
            let served = meanwhile(async || {
                // As `serve` does before anything else.
                let store = SeaOrmStore::connect(&settings).await.expect("a database");
                let Ok(mut work) = store.begin().await else { return false };
                work.lock_signing_keys().await.is_ok()
            });
            self.served = Some(served);
        }
        let line = self.rest.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.rest.take(line as u64).read(buffer).inspect(|read| self.rest.consume(*read))
    }
}

#[tokio::test]
async fn nobody_begins_to_serve_during_an_import() {
    let file = filled(&Home::file().await).await;
    for home in Home::of_each_kind().await {
        let interrupted = Interrupted { home: &home, rest: file.as_bytes(), served: None };
        let mut input = BufReader::new(interrupted);
        let secrets = FakeSecretHasher::default();
        home.store.import(&secrets, &mut input, false).await.expect("an import");
        assert_eq!(input.get_ref().served, Some(false), "{}", home.name);
    }
}
