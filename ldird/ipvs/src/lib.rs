//! ldird-ipvs
