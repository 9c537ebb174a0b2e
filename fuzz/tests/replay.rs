//! Runs random programs.

fn random(seed: u64, target: fn(&[u8])) {
    let mut state = seed;
    for n in 0..2500u32 {
        let len = 16 + (n as usize / 3);
        let data: Vec<u8> = (0..len)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect();
        target(&data);
    }
}

#[test]
fn cell() {
    random(88172645463325252, oncelot_fuzz::cell);
}

#[test]
fn lazy() {
    random(88172645463325253, oncelot_fuzz::lazy);
}
