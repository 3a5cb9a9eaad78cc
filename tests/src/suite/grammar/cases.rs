//! ldirectord.cf as people write it, and as they mistype it: a grammar with its quirks, from a seed.

use super::words::{
    FALLBACK6, GLOBAL, LIMITS, METHODS, PORTS, REAL, REAL6, REQUESTS, SECTION, STRANGERS, VIRTUAL,
    VIRTUAL6, Values, WEIGHTS,
};
use crate::suite::random::Random;

/// One file from a seed.
pub(super) fn file(seed: u64) -> String {
    let mut writer = Writer {
        random: Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        // Most files have one odd thing, so that it is not hidden behind another.
        odd_percent: 4,
        text: String::new(),
    };
    match writer.random.below(10) {
        0..5 => writer.one_line(),
        5..9 => writer.whole(),
        _ => {
            writer.odd_percent = 30;
            writer.whole();
        }
    }
    if writer.chance(3) {
        writer.text = writer.text.replace('\n', "\r\n");
    }
    if writer.chance(2) {
        writer.text.pop();
    }
    writer.text
}

struct Writer {
    random: Random,
    odd_percent: usize,
    text: String,
}

impl Writer {
    fn chance(&mut self, percent: usize) -> bool {
        self.random.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.random.below(of.len())]
    }

    fn value(&mut self, (plain, odd): Values) -> &'static str {
        if self.chance(self.odd_percent) {
            self.pick(odd)
        } else {
            self.pick(plain)
        }
    }

    /// A plain file with one directive that is as odd as they come.
    fn one_line(&mut self) {
        let inside = self.chance(60);
        let odd = |writer: &mut Self| {
            writer.odd_percent = 60;
            if writer.chance(35) && inside {
                writer.real(false);
            } else {
                writer.directive(if inside { SECTION } else { GLOBAL }, inside);
            }
            writer.odd_percent = 0;
        };
        self.odd_percent = 0;
        if !inside {
            odd(self);
        }
        if self.chance(15) {
            self.odd_percent = 60;
            self.section_head(VIRTUAL, "virtual");
            self.odd_percent = 0;
        } else {
            let head = self.pick(&[
                "virtual=10.0.0.100:80",
                "virtual = 9",
                "virtual=10.0.0.100:53",
            ]);
            self.line(head);
        }
        self.line("\treal=10.0.0.1:80 gate 2");
        if inside {
            odd(self);
        }
        self.line("\treal=10.0.0.2:80 masq");
    }

    fn whole(&mut self) {
        for _ in 0..self.random.below(4) {
            self.filler();
            self.directive(GLOBAL, false);
        }
        for _ in 0..=self.random.below(3) {
            self.section();
            if self.chance(60) {
                let gap = self.pick(&["", "\n", "# end", "  "]);
                self.line(gap);
            }
            if self.chance(10) {
                self.directive(GLOBAL, false);
            }
        }
    }

    fn section(&mut self) {
        let six = self.chance(15);
        if six {
            self.section_head(VIRTUAL6, "virtual6");
        } else {
            self.section_head(VIRTUAL, "virtual");
        }
        for _ in 0..self.random.below(9) {
            self.filler();
            if self.chance(40) {
                self.real(six);
            } else if six && self.chance(10) {
                let value = self.value(FALLBACK6);
                self.assign("fallback6", value, true);
            } else {
                self.directive(SECTION, true);
            }
        }
    }

    fn section_head(&mut self, values: Values, name: &str) {
        let value = self.value(values);
        self.assign(name, value, false);
    }

    fn filler(&mut self) {
        if self.chance(6) {
            let line = self.pick(&["# note", "\t# note", "    # note", " # note", "#"]);
            self.line(line);
        }
        if self.chance(self.odd_percent / 4) {
            let line = self.pick(&["", "   ", "    ", "      ", "\t", "\t\t"]);
            self.line(line);
        }
    }

    fn directive(&mut self, table: &[(&'static str, Values)], inside: bool) {
        if self.chance(self.odd_percent / 4) {
            let line = self.pick(STRANGERS);
            let indentation = if inside { "\t" } else { "" };
            return self.line(&format!("{indentation}{line}"));
        }
        let (name, values) = self.pick(table);
        let value = self.value(values);
        self.assign(name, value, inside);
    }

    fn assign(&mut self, name: &str, value: &str, inside: bool) {
        let odd = self.odd_percent.min(12);
        let equals = if self.chance(30) {
            self.pick(&[" = ", "= ", " =", "\t=\t", "  =  "])
        } else {
            "="
        };
        let indentation = match (inside, self.chance(odd / 3)) {
            (true, false) => self.pick(&["\t", "\t", "    ", "        ", "\t\t", "  \t"]),
            (true, true) => self.pick(&["", " ", "   ", "  "]),
            (false, false) => "",
            (false, true) => self.pick(&[" ", "    ", "\t"]),
        };
        let tail = if self.chance(odd) {
            self.pick(&[
                " ",
                "\t",
                "   # note",
                "# note",
                " # \"note\"",
                " junk",
                ";",
            ])
        } else {
            ""
        };
        self.line(&format!("{indentation}{name}{equals}{value}{tail}"));
    }

    fn real(&mut self, six: bool) {
        let address = self.value(if six { REAL6 } else { REAL });
        let parts = [PORTS, METHODS, WEIGHTS, REQUESTS, LIMITS].map(|values| self.value(values));
        let name = match (six, self.chance(self.odd_percent / 8)) {
            (true, false) | (false, true) => "real6",
            (true, true) | (false, false) => "real",
        };
        self.assign(name, &format!("{address}{}", parts.concat()), true);
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}
