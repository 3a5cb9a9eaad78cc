//! What only ldird offers, through the loop and the status socket.

use super::*;

fn told(shown: &DirectorSnapshot, text: &str) -> bool {
    shown.recent.iter().any(|notice| notice.text.contains(text))
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
