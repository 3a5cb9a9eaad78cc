use super::*;

const BEAT: Duration = Duration::from_millis(100);
const DEADTIME: Duration = Duration::from_secs(1);

#[expect(
    clippy::disallowed_methods,
    reason = "an Instant cannot be made otherwise; only differences to it are used"
)]
fn start() -> Instant {
    Instant::now()
}

/// Hears one packet after each of these silences; when the last one came.
fn hear(quality: &mut Quality, silences: &[Duration], begin: Instant) -> Instant {
    let mut now = begin;
    for (seq, silence) in (1..).zip(silences) {
        now += *silence;
        quality.silence(*silence, DEADTIME, now);
        quality.beat(*silence);
        quality.number(seq, now);
    }
    now
}

fn shown(quality: &Quality, now: Instant) -> shown::Quality {
    quality.shown(now).expect("it was heard")
}

#[test]
fn nothing_is_known_of_what_was_never_heard() {
    let quality = Quality::default();
    assert_eq!(quality.shown(start()), None);
}

#[test]
fn silences_are_counted_by_their_length_and_make_up_the_time_that_was_watched() {
    let mut quality = Quality::default();
    let mut silences = [BEAT; 100];
    silences[50] = Duration::from_micros(412_900);
    let now = hear(&mut quality, &silences, start());
    let shown = shown(&quality, now);
    let day = &shown.day;
    assert_eq!((day.heard, day.lost, day.duplicates), (100, 0, 0));
    assert_eq!((day.longest_ms, day.outages), (412, 0));
    assert!((100..112).contains(&day.median_ms), "{day:?}");
    assert!((100..112).contains(&day.p99_ms), "{day:?}");
    assert_eq!(day.watched_ms, 9_900 + 412);
    let counts: Vec<u64> = shown
        .silences
        .iter()
        .map(|silences| silences.count)
        .collect();
    assert_eq!(counts, [99, 1]);
    assert_eq!(shown.false_deaths(413), 0);
    assert_eq!(shown.false_deaths(400), 1);
}

#[test]
fn each_span_forgets_in_its_own_time() {
    let mut quality = Quality::default();
    let now = hear(&mut quality, &[BEAT, DEADTIME / 2, BEAT], start());
    let at = |later: u64| {
        let shown = shown(&quality, now + Duration::from_secs(later));
        [shown.minute, shown.hour, shown.day].map(|span| span.longest_ms)
    };
    assert_eq!(at(0), [500, 500, 500]);
    assert_eq!(at(49), [500, 500, 500]);
    assert_eq!(at(61), [0, 500, 500]);
    assert_eq!(at(3_601), [0, 0, 500]);
    assert_eq!(at(23 * 3_600 - 1), [0, 0, 500]);
    assert_eq!(at(24 * 3_600), [0, 0, 0]);
    // A slot that is used anew has nothing of its former time.
    let later = now + Duration::from_secs(24 * 3_600);
    quality.silence(BEAT, DEADTIME, later);
    assert_eq!(shown(&quality, later).day.longest_ms, 100);
}

#[test]
fn an_outage_is_told_apart_and_loses_nothing_of_what_was_sent_meanwhile() {
    let mut quality = Quality::default();
    let now = hear(&mut quality, &[BEAT; 20], start());
    let back = now + DEADTIME * 4;
    quality.silence(DEADTIME * 4, DEADTIME, back);
    quality.number(60, back);
    let day = shown(&quality, back).day;
    assert_eq!((day.outages, day.longest_outage_ms), (1, 4_000));
    assert_eq!((day.longest_ms, day.watched_ms, day.lost), (100, 2_000, 0));
}

#[test]
fn jitter_follows_how_far_beats_are_off_and_is_not_misled_by_news_between_them() {
    let jitter = |silences: &[Duration]| {
        let mut quality = Quality::default();
        let now = hear(&mut quality, silences, start());
        shown(&quality, now).jitter_us
    };
    assert_eq!(jitter(&[BEAT]), Some(0));
    assert_eq!(jitter(&[BEAT; 50]), Some(0));
    let mut news = [BEAT; 50];
    news[20] = BEAT / 10;
    assert_eq!(jitter(&news), Some(0));
    let shaken: Vec<Duration> = (0..200).map(|beat| BEAT + BEAT / 5 * (beat % 2)).collect();
    let off = jitter(&shaken).expect("there were beats");
    assert!((9_000..11_000).contains(&off), "{off}");
}

#[test]
fn round_trip_is_smoothed() {
    let mut quality = Quality::default();
    quality.number(1, start());
    for _ in 0..100 {
        quality.round_trip(Duration::from_micros(1_600));
    }
    quality.round_trip(Duration::from_micros(3_200));
    assert_eq!(shown(&quality, start()).round_trip_us, Some(1_700));
}
