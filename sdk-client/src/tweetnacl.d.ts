declare module 'tweetnacl/nacl.min.js' {
  export { default } from 'tweetnacl';
}
