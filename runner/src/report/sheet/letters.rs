//! Letters of 5x7 dots, for captions within pictures.

/// Columns of a letter.
const WIDTH: usize = 5;

/// Rows of a letter.
pub const HEIGHT: usize = 7;

/// Columns from one letter to the next.
pub const ADVANCE: usize = 6;

/// What can be written, and its rows of dots side by side. Letters look the same in either case.
const SIGNS: [(&str, [&str; HEIGHT]); 4] = [
    (
        "ABCDEFGHIJKLM",
        [
            " ###  ####   #### ####  ##### #####  #### #   #  ###    ### #   # #     #   # ",
            "#   # #   # #     #   # #     #     #     #   #   #      #  #  #  #     ## ## ",
            "#   # #   # #     #   # #     #     #     #   #   #      #  # #   #     # # # ",
            "##### ####  #     #   # ####  ####  #  ## #####   #      #  ##    #     # # # ",
            "#   # #   # #     #   # #     #     #   # #   #   #      #  # #   #     #   # ",
            "#   # #   # #     #   # #     #     #   # #   #   #   #  #  #  #  #     #   # ",
            "#   # ####   #### ####  ##### #      #### #   #  ###   ##   #   # ##### #   # ",
        ],
    ),
    (
        "NOPQRSTUVWXYZ",
        [
            "#   #  ###  ####   ###  ####   #### ##### #   # #   # #   # #   # #   # ##### ",
            "##  # #   # #   # #   # #   # #       #   #   # #   # #   # #   # #   #     # ",
            "# # # #   # #   # #   # #   # #       #   #   # #   # #   #  # #   # #     #  ",
            "#  ## #   # ####  #   # ####   ###    #   #   # #   # # # #   #     #     #   ",
            "#   # #   # #     # # # # #       #   #   #   #  # #  # # #  # #    #    #    ",
            "#   # #   # #     #  #  #  #      #   #   #   #  # #  ## ## #   #   #   #     ",
            "#   #  ###  #      ## # #   # ####    #    ###    #   #   # #   #   #   ##### ",
        ],
    ),
    (
        "0123456789",
        [
            " ###    #    ###  #####    #  #####  ###  #####  ###   ###  ",
            "#   #  ##   #   #    #    ##  #     #         # #   # #   # ",
            "#  ##   #       #   #    # #  ####  ####     #  #   # #   # ",
            "# # #   #     ##     #  #  #      # #   #   #    ###   #### ",
            "##  #   #    #        # #####     # #   #  #    #   #     # ",
            "#   #   #   #     #   #    #  #   # #   #  #    #   #    #  ",
            " ###   ###  #####  ###     #   ###   ###   #     ###   ##   ",
        ],
    ),
    (
        "._-:,[]{}()/",
        [
            "                               ###   ###    ##   ##      #   #        # ",
            "                   ##          #       #   #       #    #     #       # ",
            "                   ##          #       #   #       #   #       #     #  ",
            "            #####              #       #  #         #  #       #    #   ",
            "                   ##    ##    #       #   #       #   #       #   #    ",
            " ##                ##     #    #       #   #       #    #     #   #     ",
            " ##   #####              #     ###   ###    ##   ##      #   #    #     ",
        ],
    ),
];

/// The dots (row, column) of a letter; none for a space and for what has no letter here.
pub fn dots(letter: char) -> impl Iterator<Item = [usize; 2]> {
    let letter = letter.to_ascii_uppercase();
    let found = SIGNS.iter().find_map(|(signs, rows)| Some((signs.chars().position(|sign| sign == letter)?, rows)));
    found.into_iter().flat_map(|(place, rows)| {
        rows.iter().enumerate().flat_map(move |(row, dots)| {
            let dots = dots.bytes().skip(place * ADVANCE).take(WIDTH).enumerate();
            dots.filter(|(_, dot)| *dot == b'#').map(move |(column, _)| [row, column])
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn letters_look_as_they_are_drawn() {
        let mut text = String::new();
        for row in 0..HEIGHT {
            for letter in "r9:".chars() {
                let set: BTreeSet<_> = dots(letter).collect();
                text.extend((0..ADVANCE).map(|column| if set.contains(&[row, column]) { '#' } else { '.' }));
            }
            text.push('\n');
        }
        assert_eq!(
            text,
            "####...###........\n\
             #...#.#...#..##...\n\
             #...#.#...#..##...\n\
             ####...####.......\n\
             #.#.......#..##...\n\
             #..#.....#...##...\n\
             #...#..##.........\n"
        );
    }

    #[test]
    fn every_sign_has_its_own_form() {
        let signs: Vec<char> = SIGNS.iter().flat_map(|(signs, _)| signs.chars()).collect();
        let forms: BTreeSet<Vec<_>> = signs.iter().map(|&sign| dots(sign).collect()).collect();
        assert_eq!(forms.len(), signs.len());
        assert!(forms.iter().all(|form| !form.is_empty()));
        assert!(SIGNS.iter().all(|(signs, rows)| rows.iter().all(|row| row.len() == signs.len() * ADVANCE)));
        assert_eq!(dots(' ').count() + dots('\u{e4}').count(), 0);
    }
}
