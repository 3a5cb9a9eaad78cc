//! What only ldird offers, through the loop and the status socket.

use super::*;
use crate::names_kept;

fn told(shown: &DirectorSnapshot, text: &str) -> bool {
    shown.recent.iter().any(|notice| notice.text.contains(text))
}

#[tokio::test]
async fn a_name_that_moves_is_followed_unless_most_of_what_serves_would_go() {
    let bed = Bed::new();
    bed.write(
        "reresolve=1\nvirtual=10.0.0.100:80\n\tchecktype=on\n\treal=10.0.0.1:80 gate\n\
         \treal=web:80 gate\n\treal=other:80 gate\n",
    );
    let moved = Arc::new(Mutex::new((2, 3)));
    let server = Arc::clone(&moved);
    let names = Names::asking(move |name, _| {
        let (web, other) = *server.lock().unwrap();
        let last = if name == "web" { web } else { other };
        Some(Ipv4Addr::new(10, 0, 0, last).into())
    });
    let addresses = |shown: &DirectorSnapshot| -> Vec<String> {
        let reals = shown.services[0].reals.iter();
        let serving = reals.filter(|real| real.table_weight.is_some());
        serving.map(|real| real.address.clone()).collect()
    };
    bed.direct_with(names, async |mut client| {
        let first = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];
        wait_for(&mut client, |shown| addresses(shown) == first).await;
        *moved.lock().unwrap() = (9, 3);
        let second = ["10.0.0.1:80", "10.0.0.9:80", "10.0.0.3:80"];
        let shown = wait_for(&mut client, |shown| addresses(shown) == second).await;
        assert!(told(&shown, "web is 10.0.0.9 now, not 10.0.0.2"));
        *moved.lock().unwrap() = (7, 8);
        let refused = "nothing is changed: it takes out 0 of 1 virtual services and 2 of 3";
        let shown = wait_for(&mut client, |shown| told(shown, refused)).await;
        assert_eq!(addresses(&shown), second);
        act(&mut client, Action::Reload { force: true }).await;
        let third = ["10.0.0.1:80", "10.0.0.7:80", "10.0.0.8:80"];
        wait_for(&mut client, |shown| addresses(shown) == third).await;
        act(&mut client, Action::Stop).await;
    })
    .await;
}

/// Nothing is changed, and not without a word.
#[tokio::test]
async fn names_that_come_to_one_address_are_told() {
    let bed = Bed::new();
    let section = |host| format!("virtual={host}:80\n\tchecktype=on\n\treal=10.0.0.1:80 gate\n\n");
    bed.write(&(section("10.0.0.100") + &section("www")));
    let awake = Arc::new(AtomicBool::new(false));
    let server = Arc::clone(&awake);
    let names = Names::asking(move |_, _| {
        let up = server.load(Ordering::Relaxed);
        up.then(|| Ipv4Addr::new(10, 0, 0, 100).into())
    });
    bed.direct_with(names, async |mut client| {
        wait_for(&mut client, |shown| shown.services.len() == 1).await;
        awake.store(true, Ordering::Relaxed);
        let refused = "Names have other addresses; nothing is changed: ";
        let shown = wait_for(&mut client, |shown| told(shown, refused)).await;
        assert_eq!(shown.services.len(), 1);
        act(&mut client, Action::Stop).await;
    })
    .await;
}

#[tokio::test]
async fn a_restart_without_name_servers_goes_on_with_what_the_life_before_knew() {
    let bed = Bed::new();
    bed.write("virtual=10.0.0.100:80\n\tchecktype=on\n\treal=web:80 gate\n");
    let serving = |shown: &DirectorSnapshot| {
        let reals = &shown.services[0].reals;
        reals
            .iter()
            .any(|real| real.address == "10.0.0.7:80" && real.table_weight == Some(1))
    };
    let names = Names::asking(|_, _| Some(Ipv4Addr::new(10, 0, 0, 7).into()));
    let known = names_kept::remembered(&bed.instance()).0;
    assert!(known.is_empty());
    for names in [names, Names::asking(|_, _| None)] {
        let names = names.knowing(names_kept::remembered(&bed.instance()).0);
        bed.direct_with(names, async |mut client| {
            wait_for(&mut client, serving).await;
            act(&mut client, Action::Stop).await;
        })
        .await;
    }
    let file = bed.folder.path().join("ldird.x.cf.names");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text + "10.0.0.8\n").unwrap();
    let (known, damaged) = names_kept::remembered(&bed.instance());
    assert!(known.is_empty() && damaged == 1, "{known:?}");
}

#[tokio::test]
async fn what_somebody_changes_is_put_back_counted_and_told() {
    let bed = Bed::new();
    bed.write("enforce=yes\nvirtual=10.0.0.100:80\n\tchecktype=on\n\treal=10.0.0.1:80 gate 3\n");
    let weight = |shown: &DirectorSnapshot| shown.services[0].reals[0].table_weight;
    bed.direct(async |mut client: Client| {
        wait_for(&mut client, |shown| weight(shown) == Some(3)).await;
        for service in bed.table.lock().unwrap().values_mut() {
            for spec in service.destinations.values_mut() {
                spec.weight = 9;
            }
        }
        let repaired =
            |shown: &DirectorSnapshot| shown.services[0].enforced == 1 && weight(shown) == Some(3);
        let shown = wait_for(&mut client, repaired).await;
        assert!(told(&shown, "(weight 9 instead of 3); put back"));
        act(&mut client, Action::Stop).await;
    })
    .await;
}

/// Two that stand in the file, and `web` behind them, which has this address.
fn with_a_name(port: u16, elsewhere: &[SocketAddr]) -> String {
    let fixed = elsewhere.iter().map(|real| format!("\treal={real} masq\n"));
    let fixed: String = fixed.collect();
    format!(
        "reresolve=1\ncheckinterval=1\nvirtual=10.0.0.100:80\n\tchecktype=connect\n\
         {fixed}\treal=web:{port} masq\n"
    )
}

/// Those that take connections, in the order of the table.
fn taking(shown: &DirectorSnapshot) -> Vec<String> {
    let reals = shown.services[0].reals.iter();
    let taking = reals.filter(|real| real.table_weight.is_some_and(|weight| weight > 0));
    taking.map(|real| real.address.clone()).collect()
}

#[tokio::test]
async fn an_address_that_a_name_server_makes_up_is_checked_before_it_takes_a_place() {
    let bed = Bed::new();
    let (_first, first) = listener().await;
    let (_second, second) = listener().await;
    let (_web, web) = listener().await;
    let port = web.port();
    bed.write(&with_a_name(port, &[first, second]));
    // Nobody listens at the one that is wrong.
    let (right, wrong, new) = ([127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 3]);
    let said = Arc::new(Mutex::new(Some(right)));
    let server = Arc::clone(&said);
    let names = move || {
        let server = Arc::clone(&server);
        Names::asking(move |_, _| {
            server
                .lock()
                .unwrap()
                .map(|said| Ipv4Addr::from(said).into())
        })
    };
    let at = |address: [u8; 4]| SocketAddr::from((address, port)).to_string();
    let before = [first.to_string(), second.to_string(), at(right)];
    bed.direct_with(names(), async |mut client| {
        wait_for(&mut client, |shown| taking(shown) == before).await;
        *said.lock().unwrap() = Some(wrong);
        let on_trial = |shown: &DirectorSnapshot| {
            let last = shown.services[0].reals.last().unwrap();
            last.address == at(wrong) && last.health == Health::Down && last.trial.is_some()
        };
        let shown = wait_for(&mut client, on_trial).await;
        assert_eq!(taking(&shown), before);
        let news = "web is said to be 127.0.0.2, and stays 127.0.0.1 until that has passed a check";
        assert!(told(&shown, news), "{:#?}", shown.recent);
        // No address at all for anybody.
        *said.lock().unwrap() = None;
        let lost = "web does not resolve, and stays 127.0.0.1";
        let shown = wait_for(&mut client, |shown| told(shown, lost)).await;
        assert_eq!(taking(&shown), before);
        act(&mut client, Action::HoldBack).await;
        act(&mut client, Action::Stop).await;
    })
    .await;
    assert!(bed.table.lock().unwrap().is_empty());
    // The trial goes on in the next life, from the address that worked.
    *said.lock().unwrap() = Some(new);
    let known = names_kept::remembered(&bed.instance()).0;
    let names = names().knowing(known);
    bed.direct_with(names, async |mut client| {
        let shown = wait_for(&mut client, |shown| taking(shown) == before).await;
        assert_eq!(shown.services[0].reals.len(), 4);
        let _new = TcpListener::bind(at(new)).await.unwrap();
        let after = [first.to_string(), second.to_string(), at(new)];
        let shown = wait_for(&mut client, |shown| {
            shown.services[0].reals.len() == 3 && taking(shown) == after
        })
        .await;
        assert!(told(&shown, "web is 127.0.0.3 now, not 127.0.0.1"));
        act(&mut client, Action::Stop).await;
    })
    .await;
}
